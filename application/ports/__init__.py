"""What the use cases need from outside. Adapters subclass these protocols."""

from application.ports.access import ApiKey, Authenticator, Authorizer, Directory, User
from application.ports.ambient import Clock, NewId, NewUnitOfWork
from application.ports.delivery import EventBus, ExecutionQueue
from application.ports.execution_repository import ExecutionRepository, Page
from application.ports.idempotency_keys import IdempotencyKeys
from application.ports.outbox import Backlog, Claim, DeadLetter, Outbox
from application.ports.readiness import Readiness
from application.ports.unit_of_work import UnitOfWork

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
