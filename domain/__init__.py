"""What an execution is, and the one move it allows. Knows nothing but Python and attrs."""

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
    parse_execution_id,
)
from automation_retry.domain.execution_status import ExecutionStatus
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
    "parse_execution_id",
]
