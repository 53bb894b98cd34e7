from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from attrs import frozen

from automation_retry.application.ports.authenticator import Authenticator
from automation_retry.application.ports.directory import Directory
from automation_retry.application.ports.execution_queries import ExecutionQueries
from automation_retry.application.ports.execution_repository import ExecutionRepository
from automation_retry.application.ports.idempotency_keys import IdempotencyKeys
from automation_retry.application.ports.kept_answers import KeptAnswers
from automation_retry.application.ports.lifecycle import Lifecycle
from automation_retry.application.ports.outbox import Outbox
from automation_retry.application.ports.readiness import Readiness
from automation_retry.application.ports.schema import Schema
from automation_retry.application.ports.unit_of_work import NewUnitOfWork


@frozen(kw_only=True)
class Storage:
    """One storage behind its ports."""

    executions: ExecutionRepository
    queries: ExecutionQueries
    new_unit_of_work: NewUnitOfWork
    outbox: Outbox
    idempotency_keys: IdempotencyKeys
    kept_answers: KeptAnswers
    authenticator: Authenticator
    directory: Directory
    lifecycle: Lifecycle
    schema: Schema
    readiness: Readiness
    connection: Callable[..., AbstractAsyncContextManager[Any]] | None = None
    """For a broker in the same database: the connection of the current claim, else one of the
    pool. None where there is no database."""
