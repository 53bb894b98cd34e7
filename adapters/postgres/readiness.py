from collections.abc import Sequence

import psycopg
from attrs import field, frozen
from psycopg.rows import dict_row

from automation_retry.adapters.postgres.connection import connection_info
from automation_retry.adapters.postgres.errors import translated_errors
from automation_retry.adapters.postgres.sql import readiness as sql
from automation_retry.application import StorageUnavailable
from automation_retry.application.ports import Readiness


@frozen
class PostgresReadiness(Readiness):
    """PostgreSQL is reachable and durable."""

    url: str = field(repr=False)

    async def problems(self) -> Sequence[str]:
        try:
            # A new connection: settings of role and database apply to new sessions only.
            with translated_errors():
                async with await psycopg.AsyncConnection.connect(
                    connection_info(self.url), autocommit=True, row_factory=dict_row
                ) as connection:
                    cursor = await connection.execute(sql.DURABILITY)
                    unsafe = [row["name"] for row in await cursor.fetchall()]
        except StorageUnavailable:
            return ["PostgreSQL does not answer."]
        return [
            f"PostgreSQL runs with {name} = off, so an acknowledged retry could be lost; set it on."
            for name in unsafe
        ]
