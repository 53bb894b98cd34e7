from collections.abc import Callable, Collection, Mapping
from functools import partial
from types import MappingProxyType
from typing import Final, LiteralString

from automation_retry.adapters.postgres.authenticator import PostgresAuthenticator
from automation_retry.adapters.postgres.database import Database
from automation_retry.adapters.postgres.directory import PostgresDirectory
from automation_retry.adapters.postgres.execution_queries import PostgresExecutionQueries
from automation_retry.adapters.postgres.execution_repository import PostgresExecutionRepository
from automation_retry.adapters.postgres.group_commit import GroupCommit
from automation_retry.adapters.postgres.idempotency_keys import PostgresIdempotencyKeys
from automation_retry.adapters.postgres.kept_answers import PostgresKeptAnswers
from automation_retry.adapters.postgres.lifecycle import PostgresLifecycle
from automation_retry.adapters.postgres.lock_waits import LockWaits
from automation_retry.adapters.postgres.outbox import PostgresOutbox
from automation_retry.adapters.postgres.readiness import PostgresReadiness
from automation_retry.adapters.postgres.schema import PostgresSchema
from automation_retry.adapters.postgres.unit_of_work import PostgresUnitOfWork
from automation_retry.application import MessageKind
from automation_retry.application.ports import NewId, Storage

PAYLOAD_LIMIT: Final = 2**20
NO_HAND_OVER: Final[Mapping[MessageKind, LiteralString]] = MappingProxyType({})


def postgres_storage(  # noqa: PLR0913 - options with defaults
    database: Database,
    *,
    new_id: NewId,
    on_commit: Callable[[], None] = lambda: None,
    kinds: Collection[MessageKind] = frozenset(MessageKind),
    hand_over: Mapping[MessageKind, LiteralString] = NO_HAND_OVER,
    payload_limit: int = PAYLOAD_LIMIT,
    by_tenant: bool = False,
    unit_of_work: type[PostgresUnitOfWork] = PostgresUnitOfWork,
) -> Storage:
    """A storage in the PostgreSQL of `database`.

    `on_commit` is called after each commit that left messages in the outbox. Only messages of
    `kinds` are written; those of kinds in `hand_over` are given to their broker by the commit
    itself (see `sql.unit_of_work.commit`), the others go to the outbox. Payloads and texts of more
    than `payload_limit` bytes, as stored, are left out of what is read. With `by_tenant`, the
    statements of requests touch one tenant each, but for the one that finds the tenant of a key.
    """
    executions = PostgresExecutionRepository(database, limit=payload_limit, by_tenant=by_tenant)
    lock_waits = LockWaits.of_pool(database.max_size)
    group_commit = GroupCommit(
        database,
        lock_waits,
        limit=payload_limit,
        hand_over={kind.value: query for kind, query in hand_over.items() if kind in kinds},
        by_tenant=by_tenant,
    )
    authenticator = PostgresAuthenticator(database, lock_waits, by_tenant=by_tenant)
    return Storage(
        executions=executions,
        queries=PostgresExecutionQueries(database, limit=payload_limit),
        new_unit_of_work=partial(
            unit_of_work, database, executions, group_commit, on_commit, kinds
        ),
        outbox=PostgresOutbox(database),
        idempotency_keys=PostgresIdempotencyKeys(database),
        kept_answers=PostgresKeptAnswers(database),
        authenticator=authenticator,
        directory=PostgresDirectory(database, new_id),
        lifecycle=PostgresLifecycle(database, authenticator),
        schema=PostgresSchema(database),
        readiness=PostgresReadiness(database),
        connection=database.joined,
    )
