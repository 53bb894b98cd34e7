"""Retries failed automation executions, for use inside another Python service.

    from automation_retry import AUTOMATION_EXECUTE, Principal, open_service, read_settings

The four floors of the code are this package's subpackages: `domain`, `application`, `adapters` and
`entrypoints`. What other services need of them is named here and loaded when it is first used (PEP
562), so that importing the package, or its domain, loads no framework.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from automation_retry.application import (
        ApplicationError,
        BulkRetried,
        BulkRetry,
        Direction,
        ExecutionFilter,
        ExecutionList,
        ExecutionNotFound,
        ExecutionSeen,
        FailureOverview,
        GetExecution,
        IdempotencyKeyReused,
        InvalidIdempotencyKey,
        InvalidParameters,
        ListExecutions,
        ListFailedAttempts,
        ListFailureGroups,
        Page,
        QueryTooBroad,
        Refusal,
        RefusedExecution,
        RequestInProgress,
        Retried,
        RetriedExecution,
        RetryConflict,
        RetryExecution,
        RetryNotStored,
        RetryState,
        SortField,
        Sorting,
        StorageFailed,
        StorageUnavailable,
        Timeline,
    )
    from automation_retry.application.ports import (
        ExecutionRepository,
        FailureGroup,
        FailureGroups,
        ListedExecution,
    )
    from automation_retry.domain import (
        AUTOMATION_EXECUTE,
        AUTOMATION_READ,
        DomainError,
        Execution,
        ExecutionLog,
        ExecutionNotFailed,
        ExecutionStatus,
        FailedAttempt,
        InvalidExecutionId,
        Json,
        LogEntry,
        LogLevel,
        Permission,
        PermissionDenied,
        Principal,
        UnknownStatus,
        UnreadableExecution,
    )
    from automation_retry.entrypoints.in_process import (
        EmbeddedPostgresError,
        Service,
        Settings,
        SettingsError,
        open_service,
        read_settings,
    )

__all__ = [
    "AUTOMATION_EXECUTE",
    "AUTOMATION_READ",
    "ApplicationError",
    "BulkRetried",
    "BulkRetry",
    "Direction",
    "DomainError",
    "EmbeddedPostgresError",
    "Execution",
    "ExecutionFilter",
    "ExecutionList",
    "ExecutionLog",
    "ExecutionNotFailed",
    "ExecutionNotFound",
    "ExecutionRepository",
    "ExecutionSeen",
    "ExecutionStatus",
    "FailedAttempt",
    "FailureGroup",
    "FailureGroups",
    "FailureOverview",
    "GetExecution",
    "IdempotencyKeyReused",
    "InvalidExecutionId",
    "InvalidIdempotencyKey",
    "InvalidParameters",
    "Json",
    "ListExecutions",
    "ListFailedAttempts",
    "ListFailureGroups",
    "ListedExecution",
    "LogEntry",
    "LogLevel",
    "Page",
    "Permission",
    "PermissionDenied",
    "Principal",
    "QueryTooBroad",
    "Refusal",
    "RefusedExecution",
    "RequestInProgress",
    "Retried",
    "RetriedExecution",
    "RetryConflict",
    "RetryExecution",
    "RetryNotStored",
    "RetryState",
    "Service",
    "Settings",
    "SettingsError",
    "SortField",
    "Sorting",
    "StorageFailed",
    "StorageUnavailable",
    "Timeline",
    "UnknownStatus",
    "UnreadableExecution",
    "open_service",
    "read_settings",
]

# From the lightest to the one that loads the frameworks.
_SOURCES = ("domain", "application", "application.ports", "entrypoints.in_process")


def __getattr__(name: str) -> object:
    if name in __all__:
        for source in _SOURCES:
            module = import_module(f"{__name__}.{source}")
            if name in module.__all__:
                value: object = getattr(module, name)
                globals()[name] = value
                return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
