"""What the use cases need from outside. Adapters subclass these protocols."""

from automation_retry.application.ports.authenticator import Authenticator, ValidKey
from automation_retry.application.ports.authorizer import Authorizer
from automation_retry.application.ports.broker import Broker, BrokerBundle, Channel
from automation_retry.application.ports.budget import UNBOUNDED, Budget
from automation_retry.application.ports.clock import Clock, NewId
from automation_retry.application.ports.directory import (
    ApiKey,
    ApiKeyStatus,
    Directory,
    User,
    UserAccount,
)
from automation_retry.application.ports.event_bus import EventBus
from automation_retry.application.ports.execution_queries import (
    MAX_COUNTED,
    MAX_READ_BYTES,
    MAX_STATUS_BYTES,
    ExecutionQueries,
    FailureGroup,
    FailureGroups,
    ListedExecution,
    ListedExecutions,
    Window,
)
from automation_retry.application.ports.execution_queue import ExecutionQueue
from automation_retry.application.ports.execution_repository import ExecutionRepository
from automation_retry.application.ports.idempotency_keys import IdempotencyKeys
from automation_retry.application.ports.kept_answers import HELD_FOR, KeptAnswers, Reservation
from automation_retry.application.ports.lifecycle import Lifecycle
from automation_retry.application.ports.outbox import (
    DEAD_COUNTED,
    Backlog,
    Claim,
    DeadLetter,
    DeliveryFailure,
    DeliveryStatus,
    Outbox,
)
from automation_retry.application.ports.readiness import Readiness
from automation_retry.application.ports.retention import Retention
from automation_retry.application.ports.schema import MigrationScript, Schema, Tell
from automation_retry.application.ports.storage import Storage
from automation_retry.application.ports.unit_of_work import (
    CommitOutcome,
    NewUnitOfWork,
    UnitOfWork,
)

__all__ = [
    "DEAD_COUNTED",
    "HELD_FOR",
    "MAX_COUNTED",
    "MAX_READ_BYTES",
    "MAX_STATUS_BYTES",
    "UNBOUNDED",
    "ApiKey",
    "ApiKeyStatus",
    "Authenticator",
    "Authorizer",
    "Backlog",
    "Broker",
    "BrokerBundle",
    "Budget",
    "Channel",
    "Claim",
    "Clock",
    "CommitOutcome",
    "DeadLetter",
    "DeliveryFailure",
    "DeliveryStatus",
    "Directory",
    "EventBus",
    "ExecutionQueries",
    "ExecutionQueue",
    "ExecutionRepository",
    "FailureGroup",
    "FailureGroups",
    "IdempotencyKeys",
    "KeptAnswers",
    "Lifecycle",
    "ListedExecution",
    "ListedExecutions",
    "MigrationScript",
    "NewId",
    "NewUnitOfWork",
    "Outbox",
    "Readiness",
    "Reservation",
    "Retention",
    "Schema",
    "Storage",
    "Tell",
    "UnitOfWork",
    "User",
    "UserAccount",
    "ValidKey",
    "Window",
]
