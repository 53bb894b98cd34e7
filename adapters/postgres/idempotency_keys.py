from datetime import datetime

from attrs import frozen

from automation_retry.adapters.postgres.database import Database
from automation_retry.adapters.postgres.sql import idempotency_keys as sql
from automation_retry.application.ports import IdempotencyKeys


@frozen
class PostgresIdempotencyKeys(IdempotencyKeys):
    """The table `automation_idempotency_keys`."""

    database: Database

    async def remove(self, before: datetime, limit: int) -> int:
        return await self.database.execute(sql.REMOVE_EXPIRED, {"before": before, "limit": limit})
