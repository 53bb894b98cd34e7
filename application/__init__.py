"""What the service does: use cases on ports. Knows the domain and no framework."""

from application.errors import (
    ApiKeyRequired,
    ApplicationError,
    DeliveryError,
    EngineUnavailable,
    ExecutionNotFound,
    IdempotencyKeyReused,
    InvalidApiKey,
    InvalidIdempotencyKey,
    MessageRefused,
    RetryConflict,
    StorageUnavailable,
)
from application.expire_idempotency_keys import ExpireIdempotencyKeys
from application.get_execution import ExecutionSeen, GetExecution
from application.idempotency import IdempotencyKey, Retried
from application.list_failed_attempts import ListFailedAttempts
from application.messages import ExecutionJob, Message, MessageKind, RetriedEvent
from application.relay_outbox import Relayed, RelayOutbox
from application.retry_execution import RetryExecution

__all__ = [
    "ApiKeyRequired",
    "ApplicationError",
    "DeliveryError",
    "EngineUnavailable",
    "ExecutionJob",
    "ExecutionNotFound",
    "ExecutionSeen",
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
    "RelayOutbox",
    "Relayed",
    "Retried",
    "RetriedEvent",
    "RetryConflict",
    "RetryExecution",
    "StorageUnavailable",
]
