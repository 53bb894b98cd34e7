from collections.abc import Sequence

from attrs import frozen

from automation_retry.adapters.postgres.database import Database
from automation_retry.adapters.postgres.sql import readiness as sql
from automation_retry.application import StorageUnavailable
from automation_retry.application.ports import Readiness


@frozen
class PostgresReadiness(Readiness):
    """PostgreSQL is reachable and durable.

    Uses a connection of the pool, as requests do: a new one could be refused by a full server.
    """

    database: Database

    async def problems(self) -> Sequence[str]:
        try:
            unsafe = await self.database.fetch(sql.DURABILITY, {})
        except StorageUnavailable:
            return ["PostgreSQL does not answer."]
        if any(row["outdated"] for row in unsafe):
            await self.database.renew()
        return [
            f"PostgreSQL runs with {row['name']} = off, "
            "so an acknowledged retry could be lost; set it on."
            for row in unsafe
        ]
