"""Storage in PostgreSQL."""

from adapters.postgres.authenticator import PostgresAuthenticator
from adapters.postgres.commits import Commits
from adapters.postgres.database import Database
from adapters.postgres.directory import PostgresDirectory
from adapters.postgres.executions import PostgresExecutions
from adapters.postgres.idempotency_keys import PostgresIdempotencyKeys
from adapters.postgres.outbox import PostgresOutbox
from adapters.postgres.readiness import PostgresReadiness
from adapters.postgres.schema import Schema
from adapters.postgres.unit_of_work import PostgresUnitOfWork

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
