"""What an execution is, and the one move it allows. Knows nothing but Python and attrs."""

from domain.errors import DomainError, ExecutionNotFailed, InvalidExecutionId, PermissionDenied
from domain.execution import (
    CLEARED,
    Execution,
    ExecutionRetried,
    FailedAttempt,
    LogEntry,
    LogLevel,
    Retry,
    parse_execution_id,
)
from domain.execution_status import ExecutionStatus
from domain.principal import AUTOMATION_EXECUTE, AUTOMATION_READ, Permission, Principal

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
