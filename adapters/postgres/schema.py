"""Brings a database to the schema that this version needs."""

from collections.abc import Iterator
from importlib import resources
from typing import LiteralString

from attrs import frozen

from automation_retry.adapters.postgres import statements
from automation_retry.adapters.postgres.database import Connection, Database


def _migrations() -> Iterator[tuple[str, LiteralString]]:
    """Name and text of each migration, in order."""
    files = resources.files(f"{__package__}.migrations").iterdir()
    for file in sorted(files, key=lambda file: file.name):
        if file.name.endswith(".sql"):
            yield file.name.removesuffix(".sql"), file.read_text("utf-8")


@frozen
class Schema:
    """The migrations, and which of them a database already has."""

    database: Database

    async def migrate(self) -> list[str]:
        """Applies what is missing, each at most once, and returns the names.

        All or nothing, under a lock, so that several may call it at once.

        Raises:
            StorageUnavailable: nothing was applied.
        """
        async with self.database.connection() as connection, connection.transaction():
            # DDL may take longer than a request, and waits for whoever migrates already.
            await connection.execute("SET LOCAL statement_timeout = 0")
            await connection.execute("SET LOCAL lock_timeout = 0")
            await connection.execute(statements.LOCK_MIGRATIONS)
            await connection.execute(statements.CREATE_MIGRATIONS)
            applied = await _applied(connection)
            missing = [(name, text) for name, text in _migrations() if name not in applied]
            for name, text in missing:
                await connection.execute(text, prepare=False)
                await connection.execute(statements.MIGRATION_APPLIED, {"name": name})
            return [name for name, _ in missing]

    async def missing(self) -> list[str]:
        """The names of the migrations that the database does not have yet.

        Raises:
            StorageUnavailable: the database did not answer.
        """
        async with self.database.connection() as connection:
            cursor = await connection.execute(statements.MIGRATIONS_TABLE)
            row = await cursor.fetchone()
            applied = await _applied(connection) if row and row["made"] else frozenset()
        return [name for name, _ in _migrations() if name not in applied]


async def _applied(connection: Connection) -> frozenset[str]:
    cursor = await connection.execute(statements.APPLIED_MIGRATIONS)
    return frozenset([row["name"] for row in await cursor.fetchall()])
