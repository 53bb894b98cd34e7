"""What the use cases need from outside. Adapters subclass these protocols."""

from automation_retry.application.ports.access import (
    ApiKey,
    Authenticator,
    Authorizer,
    Directory,
    User,
)
from automation_retry.application.ports.ambient import Clock, NewId, NewUnitOfWork
from automation_retry.application.ports.delivery import EventBus, ExecutionQueue
from automation_retry.application.ports.execution_repository import ExecutionRepository, Page
from automation_retry.application.ports.idempotency_keys import IdempotencyKeys
from automation_retry.application.ports.outbox import Backlog, Claim, DeadLetter, Outbox
from automation_retry.application.ports.readiness import Readiness
from automation_retry.application.ports.unit_of_work import UnitOfWork

__all__ = [
    "ApiKey",
    "Authenticator",
    "Authorizer",
    "Backlog",
    "Claim",
    "Clock",
    "DeadLetter",
    "Directory",
    "EventBus",
    "ExecutionQueue",
    "ExecutionRepository",
    "IdempotencyKeys",
    "NewId",
    "NewUnitOfWork",
    "Outbox",
    "Page",
    "Readiness",
    "UnitOfWork",
    "User",
]
