"""Storage in PostgreSQL."""

from automation_retry.adapters.postgres.authenticator import PostgresAuthenticator
from automation_retry.adapters.postgres.commits import Commits
from automation_retry.adapters.postgres.database import Database
from automation_retry.adapters.postgres.directory import PostgresDirectory
from automation_retry.adapters.postgres.executions import PostgresExecutions
from automation_retry.adapters.postgres.idempotency_keys import PostgresIdempotencyKeys
from automation_retry.adapters.postgres.outbox import PostgresOutbox
from automation_retry.adapters.postgres.readiness import PostgresReadiness
from automation_retry.adapters.postgres.schema import Schema
from automation_retry.adapters.postgres.unit_of_work import PostgresUnitOfWork

__all__ = [
    "Commits",
    "Database",
    "PostgresAuthenticator",
    "PostgresDirectory",
    "PostgresExecutions",
    "PostgresIdempotencyKeys",
    "PostgresOutbox",
    "PostgresReadiness",
    "PostgresUnitOfWork",
    "Schema",
]
