"""What an automation execution is, and its one transition: failed → pending.

Depends on Python and attrs only: no I/O, no clock, no random ids.
"""

from automation_retry.domain.errors import (
    DomainError,
    ExecutionNotFailed,
    InvalidExecutionId,
    PermissionDenied,
    UnreadableExecution,
)
from automation_retry.domain.execution import (
    CLEARED,
    PAYLOADS,
    Execution,
    ExecutionRetried,
    FailedAttempt,
    Retry,
)
from automation_retry.domain.execution_status import ExecutionStatus, UnknownStatus, status_of
from automation_retry.domain.identifiers import is_uuid, parse_execution_id
from automation_retry.domain.payload import ExecutionLog, Json, LogEntry, LogLevel, utc_text
from automation_retry.domain.principal import (
    AUTOMATION_EXECUTE,
    AUTOMATION_READ,
    Permission,
    Principal,
)
from automation_retry.domain.validators import MAX_RETRY_COUNT, is_count, is_duration

__all__ = [
    "AUTOMATION_EXECUTE",
    "AUTOMATION_READ",
    "CLEARED",
    "MAX_RETRY_COUNT",
    "PAYLOADS",
    "DomainError",
    "Execution",
    "ExecutionLog",
    "ExecutionNotFailed",
    "ExecutionRetried",
    "ExecutionStatus",
    "FailedAttempt",
    "InvalidExecutionId",
    "Json",
    "LogEntry",
    "LogLevel",
    "Permission",
    "PermissionDenied",
    "Principal",
    "Retry",
    "UnknownStatus",
    "UnreadableExecution",
    "is_count",
    "is_duration",
    "is_uuid",
    "parse_execution_id",
    "status_of",
    "utc_text",
]
