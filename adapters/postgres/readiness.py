from collections.abc import Sequence
from typing import Protocol

import psycopg
from attrs import frozen
from psycopg.rows import dict_row

from automation_retry.adapters.postgres import statements
from automation_retry.adapters.postgres.database import connection_info, translated_errors
from automation_retry.application import StorageUnavailable
from automation_retry.application.ports import Outbox, Readiness


class MigratedSchema(Protocol):
    """Tables that `automation-retry migrate` makes."""

    async def missing(self) -> list[str]:
        """What it would still have to apply."""
        ...


@frozen
class PostgresReadiness(Readiness):
    """Reachable, migrated, and durable."""

    url: str
    schemas: Sequence[MigratedSchema]
    outbox: Outbox

    async def problems(self) -> Sequence[str]:
        try:
            # A connection of its own: settings of role and database reach only new sessions.
            with translated_errors():
                async with await psycopg.AsyncConnection.connect(
                    connection_info(self.url), autocommit=True, row_factory=dict_row
                ) as connection:
                    cursor = await connection.execute(statements.DURABILITY)
                    unsafe = [row["name"] for row in await cursor.fetchall()]
            missing = [name for schema in self.schemas for name in await schema.missing()]
        except StorageUnavailable:
            return ["PostgreSQL does not answer."]
        problems = [
            f"PostgreSQL runs with {name} = off, so an acknowledged retry could be lost; set it on."
            for name in unsafe
        ]
        if missing:
            problems.append(
                f"The database lacks {', '.join(missing)}; run `automation-retry migrate`."
            )
        return problems

    async def warnings(self) -> Sequence[str]:
        return [
            f"{backlog.dead} {backlog.kind.value} messages were refused by their engine; "
            "see `automation-retry outbox status`."
            for backlog in await self.outbox.backlog()
            if backlog.dead
        ]
