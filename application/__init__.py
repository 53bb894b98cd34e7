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
    InvalidParameters,
    MessageRefused,
    QueryTooBroad,
    RetryConflict,
    RetryNotStored,
    SchemaRefused,
    StorageFailed,
    StorageUnavailable,
    UserExists,
)
from automation_retry.application.executions import (
    ExecutionList,
    ExecutionSeen,
    ExpireIdempotencyKeys,
    GetExecution,
    ListExecutions,
    ListFailedAttempts,
    Retried,
    RetryExecution,
)
from automation_retry.application.failures import FailureOverview, ListFailureGroups
from automation_retry.application.idempotency import IdempotencyKey
from automation_retry.application.identity import Caller, DescribeCaller
from automation_retry.application.messages import ExecutionJob, Message, MessageKind, RetriedEvent
from automation_retry.application.operations import CheckReadiness, ReadinessReport
from automation_retry.application.outbox import ExpireEvents, Relayed, RelayOutbox
from automation_retry.application.paging import Page, PageRequest
from automation_retry.application.selection import (
    Direction,
    ExecutionFilter,
    Position,
    SortField,
    Sorting,
)
from automation_retry.application.timeline import Timeline

__all__ = [
    "ApiKeyRequired",
    "ApplicationError",
    "AttemptArchived",
    "BrokerUnavailable",
    "Caller",
    "CheckReadiness",
    "DeliveryError",
    "DescribeCaller",
    "Direction",
    "ExecutionFilter",
    "ExecutionJob",
    "ExecutionList",
    "ExecutionNotFound",
    "ExecutionSeen",
    "ExpireEvents",
    "ExpireIdempotencyKeys",
    "FailureOverview",
    "GetExecution",
    "IdempotencyKey",
    "IdempotencyKeyReused",
    "InvalidApiKey",
    "InvalidIdempotencyKey",
    "InvalidParameters",
    "ListExecutions",
    "ListFailedAttempts",
    "ListFailureGroups",
    "Message",
    "MessageKind",
    "MessageRefused",
    "Page",
    "PageRequest",
    "Position",
    "QueryTooBroad",
    "ReadinessReport",
    "RelayOutbox",
    "Relayed",
    "Retried",
    "RetriedEvent",
    "RetryConflict",
    "RetryExecution",
    "RetryNotStored",
    "SchemaRefused",
    "SortField",
    "Sorting",
    "StorageFailed",
    "StorageUnavailable",
    "Timeline",
    "UserExists",
]
