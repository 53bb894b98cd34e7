"""What an automation execution is, and its one transition: failed → pending.

Depends on Python and attrs only: no I/O, no clock, no random ids.
"""

from automation_retry.domain.errors import (
    DomainError,
    ExecutionNotFailed,
    InvalidExecutionId,
    PermissionDenied,
)
from automation_retry.domain.execution import (
    CLEARED,
    Execution,
    ExecutionRetried,
    FailedAttempt,
    LogEntry,
    LogLevel,
    Retry,
)
from automation_retry.domain.execution_status import ExecutionStatus
from automation_retry.domain.identifiers import is_uuid, parse_execution_id
from automation_retry.domain.principal import (
    AUTOMATION_EXECUTE,
    AUTOMATION_READ,
    Permission,
    Principal,
)

__all__ = [
    "AUTOMATION_EXECUTE",
    "AUTOMATION_READ",
    "CLEARED",
    "DomainError",
    "Execution",
    "ExecutionNotFailed",
    "ExecutionRetried",
    "ExecutionStatus",
    "FailedAttempt",
    "InvalidExecutionId",
    "LogEntry",
    "LogLevel",
    "Permission",
    "PermissionDenied",
    "Principal",
    "Retry",
    "is_uuid",
    "parse_execution_id",
]
