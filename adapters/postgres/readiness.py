import asyncio
from collections.abc import Iterator, Sequence

from attrs import frozen
from psycopg.rows import DictRow

from automation_retry.adapters.postgres.database import Database
from automation_retry.adapters.postgres.errors import is_answer
from automation_retry.adapters.postgres.sql import readiness as sql
from automation_retry.application import StorageUnavailable
from automation_retry.application.ports import Readiness

_WITHIN_S = 2.5
"""Less than the whole check may take, so that it can say why."""


@frozen
class PostgresReadiness(Readiness):
    """PostgreSQL is reachable, writable and durable.

    Uses a connection of the pool, as requests do: a new one could be refused by a full server.
    """

    database: Database

    async def problems(self) -> Sequence[str]:
        try:
            async with asyncio.timeout(_WITHIN_S):
                [state] = await self.database.fetch(sql.WRITABLE, {})
                unsafe = await self.database.fetch(sql.DURABILITY, {})
        except (StorageUnavailable, TimeoutError) as error:
            return [self._silence(error)]
        return [*_unwritable(state), *_undurable(unsafe)]

    async def renew(self) -> None:
        await self.database.renew()

    def _silence(self, error: Exception) -> str:
        if refusal := self.database.refusal:
            return f"No connection to PostgreSQL can be opened: {refusal}."
        if isinstance(error, StorageUnavailable) and is_answer(error.__cause__):
            return f"PostgreSQL refuses a statement: {error.reason}."
        return "PostgreSQL does not answer."


def _unwritable(state: DictRow) -> Iterator[str]:
    if state["is_standby"]:
        yield (
            "PostgreSQL is a standby, so nothing can be written; promote it, or name the primary "
            "in DATABASE_URL, which may list several hosts."
        )
    elif state["is_read_only"]:
        yield (
            "PostgreSQL is read-only, so nothing can be written; set default_transaction_read_only "
            "off for the server, the database or the role."
        )


def _undurable(unsafe: Sequence[DictRow]) -> Iterator[str]:
    for row in unsafe:
        yield (
            f"PostgreSQL runs with {row['name']} = off, "
            "so an acknowledged retry could be lost; set it on."
        )
