from collections.abc import Callable
from functools import partial

from automation_retry.adapters.postgres.authenticator import PostgresAuthenticator
from automation_retry.adapters.postgres.database import Database
from automation_retry.adapters.postgres.directory import PostgresDirectory
from automation_retry.adapters.postgres.execution_repository import PostgresExecutionRepository
from automation_retry.adapters.postgres.group_commit import GroupCommit
from automation_retry.adapters.postgres.idempotency_keys import PostgresIdempotencyKeys
from automation_retry.adapters.postgres.lifecycle import PostgresLifecycle
from automation_retry.adapters.postgres.lock_waits import LockWaits
from automation_retry.adapters.postgres.outbox import PostgresOutbox
from automation_retry.adapters.postgres.readiness import PostgresReadiness
from automation_retry.adapters.postgres.schema import PostgresSchema
from automation_retry.adapters.postgres.unit_of_work import PostgresUnitOfWork
from automation_retry.application.ports import NewId, Storage


def postgres_storage(
    database: Database,
    *,
    new_id: NewId,
    on_commit: Callable[[], None] = lambda: None,
    unit_of_work: type[PostgresUnitOfWork] = PostgresUnitOfWork,
) -> Storage:
    """A storage in the PostgreSQL of `database`.

    `on_commit` is called after each commit that wrote messages.
    """
    executions = PostgresExecutionRepository(database)
    lock_waits = LockWaits.of_pool(database.max_size)
    authenticator = PostgresAuthenticator(database, lock_waits)
    return Storage(
        executions=executions,
        new_unit_of_work=partial(
            unit_of_work, database, executions, GroupCommit(database, lock_waits), on_commit
        ),
        outbox=PostgresOutbox(database),
        idempotency_keys=PostgresIdempotencyKeys(database),
        authenticator=authenticator,
        directory=PostgresDirectory(database, new_id),
        lifecycle=PostgresLifecycle(database, authenticator),
        schema=PostgresSchema(database),
        readiness=PostgresReadiness(database),
        connection=database.joined,
    )
