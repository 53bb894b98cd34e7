"""What an automation execution is, its one transition (failed → pending), and what failures share.

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
from automation_retry.domain.failure_pattern import (
    NO_MESSAGE,
    failure_group_id,
    failure_pattern,
    is_failure_group_id,
)
from automation_retry.domain.identifiers import is_uuid, parse_execution_id
from automation_retry.domain.payload import ExecutionLog, Json, LogEntry, LogLevel, utc_text
from automation_retry.domain.principal import (
    AUTOMATION_EXECUTE,
    AUTOMATION_READ,
    Permission,
    Principal,
)
from automation_retry.domain.reason import MAX_REASON, is_reason
from automation_retry.domain.validators import MAX_RETRY_COUNT, is_count, is_duration

__all__ = [
    "AUTOMATION_EXECUTE",
    "AUTOMATION_READ",
    "CLEARED",
    "MAX_REASON",
    "MAX_RETRY_COUNT",
    "NO_MESSAGE",
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
    "failure_group_id",
    "failure_pattern",
    "is_count",
    "is_duration",
    "is_failure_group_id",
    "is_reason",
    "is_uuid",
    "parse_execution_id",
    "status_of",
    "utc_text",
]
