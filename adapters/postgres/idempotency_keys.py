from datetime import datetime

from attrs import frozen

from adapters.postgres import statements
from adapters.postgres.database import Database
from application.ports import IdempotencyKeys


@frozen
class PostgresIdempotencyKeys(IdempotencyKeys):
    """The table `automation_idempotency_keys`."""

    database: Database

    async def remove(self, before: datetime, limit: int) -> int:
        async with self.database.connection() as connection:
            cursor = await connection.execute(
                statements.REMOVE_ANSWERS, {"before": before, "limit": limit}
            )
            return cursor.rowcount
