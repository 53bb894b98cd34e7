"""Storage in PostgreSQL."""

from automation_retry.adapters.postgres.database import Database
from automation_retry.adapters.postgres.storage import postgres_storage
from automation_retry.adapters.postgres.unit_of_work import PostgresUnitOfWork

__all__ = ["Database", "PostgresUnitOfWork", "postgres_storage"]
