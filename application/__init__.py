"""Use cases on ports. Depends on the domain and on attrs, on no framework."""

from automation_retry.application.errors import (
    ApiKeyRequired,
    ApplicationError,
    AttemptArchived,
    BrokerUnavailable,
    DeliveryError,
    ExecutionNotFound,
    IdempotencyKeyReused,
    InvalidApiKey,
    InvalidIdempotencyKey,
    MessageRefused,
    RetryConflict,
    RetryNotStored,
    SchemaRefused,
    StorageFailed,
    StorageUnavailable,
    UserExists,
)
from automation_retry.application.executions import (
    ExecutionSeen,
    ExpireIdempotencyKeys,
    GetExecution,
    ListFailedAttempts,
    Retried,
    RetryExecution,
)
from automation_retry.application.idempotency import IdempotencyKey
from automation_retry.application.messages import ExecutionJob, Message, MessageKind, RetriedEvent
from automation_retry.application.operations import CheckReadiness, ReadinessReport
from automation_retry.application.outbox import ExpireEvents, Relayed, RelayOutbox
from automation_retry.application.paging import Page, PageRequest

__all__ = [
    "ApiKeyRequired",
    "ApplicationError",
    "AttemptArchived",
    "BrokerUnavailable",
    "CheckReadiness",
    "DeliveryError",
    "ExecutionJob",
    "ExecutionNotFound",
    "ExecutionSeen",
    "ExpireEvents",
    "ExpireIdempotencyKeys",
    "GetExecution",
    "IdempotencyKey",
    "IdempotencyKeyReused",
    "InvalidApiKey",
    "InvalidIdempotencyKey",
    "ListFailedAttempts",
    "Message",
    "MessageKind",
    "MessageRefused",
    "Page",
    "PageRequest",
    "ReadinessReport",
    "RelayOutbox",
    "Relayed",
    "Retried",
    "RetriedEvent",
    "RetryConflict",
    "RetryExecution",
    "RetryNotStored",
    "SchemaRefused",
    "StorageFailed",
    "StorageUnavailable",
    "UserExists",
]
