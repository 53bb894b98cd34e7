"""What the service does: use cases on ports. Knows the domain and no framework."""

from automation_retry.application.errors import (
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
from automation_retry.application.expire_idempotency_keys import ExpireIdempotencyKeys
from automation_retry.application.get_execution import ExecutionSeen, GetExecution
from automation_retry.application.idempotency import IdempotencyKey, Retried
from automation_retry.application.list_failed_attempts import ListFailedAttempts
from automation_retry.application.messages import ExecutionJob, Message, MessageKind, RetriedEvent
from automation_retry.application.relay_outbox import Relayed, RelayOutbox
from automation_retry.application.retry_execution import RetryExecution

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
