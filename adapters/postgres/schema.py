"""The tables and functions that this version needs."""

import asyncio
import logging
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from typing import LiteralString

import psycopg
from attrs import frozen
from psycopg.rows import DictRow

from automation_retry.adapters.log import log
from automation_retry.adapters.postgres.column_types import unsupported_tables
from automation_retry.adapters.postgres.connection import Connection
from automation_retry.adapters.postgres.database import Database
from automation_retry.adapters.postgres.index_builds import IndexBuilds
from automation_retry.adapters.postgres.indexes import (
    create_indexes,
    index_states,
    index_warnings,
)
from automation_retry.adapters.postgres.migration_script import indexes_script, migrations_script
from automation_retry.adapters.postgres.own_tables import incomplete
from automation_retry.adapters.postgres.rights import (
    BESIDES,
    TO_DELIVER,
    TO_LIST_FAILURES,
    TO_RETRY,
)
from automation_retry.adapters.postgres.sql import schema as sql
from automation_retry.adapters.rights import (
    hidden_schemas,
    missing_rights,
    uncallable_functions,
)
from automation_retry.adapters.row_security import row_security
from automation_retry.application import SchemaRefused, StorageUnavailable
from automation_retry.application.ports import MigrationScript, Schema, Tell

_ATTEMPTS = 120
_PAUSE_S = 2.0
_ENCODINGS = ("UTF8", "SQL_ASCII")
"""The second holds any bytes; the client's encoding is UTF8."""


def _migrations() -> Iterator[tuple[str, LiteralString]]:
    """Name and text of each migration, in order."""
    files = resources.files(f"{__package__}.migrations").iterdir()
    for file in sorted(files, key=lambda file: file.name):
        if file.name.endswith(".sql"):
            yield file.name.removesuffix(".sql"), file.read_text("utf-8")


@frozen
class PostgresSchema(Schema):
    """The migrations, each applied once, under an advisory lock and in one transaction."""

    database: Database

    async def migrate(self) -> Sequence[str]:
        """Others that use the tables are held up for a second at a time, and for no longer.

        A change of a table waits for whoever uses it, and all who come later wait behind it. So it
        gives up after a second, and tries again for several minutes.
        """
        for _ in range(_ATTEMPTS):
            try:
                return await self._migrate()
            except StorageUnavailable as unavailable:
                if not isinstance(unavailable.__cause__, psycopg.errors.LockNotAvailable):
                    raise
            log(logging.WARNING, "migration waits", reason="a table is locked by another session")
            await asyncio.sleep(_PAUSE_S)
        raise SchemaRefused(
            ["A table is locked by another session; end its transaction and migrate again."]
        )

    async def _migrate(self) -> Sequence[str]:
        async with (
            self.database.connection(unbounded=True) as connection,
            connection.transaction(),
        ):
            await connection.execute(sql.WITHOUT_TIMEOUTS)
            await connection.execute(sql.LOCK_MIGRATIONS)
            await connection.execute(sql.SHORT_LOCK_WAITS)
            if problems := await unsupported_tables(connection):
                raise SchemaRefused(problems)
            await _create_migrations(connection)
            due = await _due(connection)
            exist = bool(await index_states(connection))
            for name, text in due:
                await _apply(connection, name, text)
                await connection.execute(sql.MARK_APPLIED, {"name": name})
            if lost := await incomplete(connection):
                raise SchemaRefused([_not_restored(lost)])
            created = () if exist else await create_indexes(connection)
            return [*(name for name, _ in due), *created]

    async def build_indexes(self, tell: Tell) -> Sequence[str]:
        return await IndexBuilds(self.database)(tell)

    async def script(self) -> MigrationScript:
        async with self.database.connection() as connection, connection.transaction():
            await connection.execute(sql.READ_ONLY)
            if problems := await unsupported_tables(connection):
                raise SchemaRefused(problems)
            state = await _state(connection)
            if problems := [*_problems_of_database(state)]:
                raise SchemaRefused(problems)
            states = await index_states(connection)
            return MigrationScript(
                migrations=migrations_script(connection, await _due(connection), new=not states),
                indexes=await indexes_script(connection, states),
            )

    async def missing(self) -> Sequence[str]:
        async with self.database.connection() as connection:
            applied = await _applied(connection)
            lost = await incomplete(connection) if applied else {}
        return [
            f"{', '.join(lost[name])} of {name}" if name in applied else name
            for name, _ in _migrations()
            if name not in applied or name in lost
        ]

    async def problems(self, *, delivers: bool) -> Sequence[str]:
        needed = (*TO_RETRY, *TO_DELIVER) if delivers else TO_RETRY
        async with self.database.connection() as connection:
            return [
                *await hidden_schemas(connection, needed),
                *await unsupported_tables(connection),
                *await missing_rights(connection, needed),
                *(await row_security(connection, needed)).problems,
            ]

    async def warnings(self, *, delivers: bool) -> Sequence[str]:  # noqa: ARG002
        async with self.database.connection() as connection:
            besides = [
                f"{consequence}. {sentence}"
                for consequence, rights in BESIDES.items()
                for sentence in await missing_rights(connection, rights)
            ]
            uncallable = await uncallable_functions(connection, TO_LIST_FAILURES)
            return [
                *(await row_security(connection, (*TO_RETRY, *TO_DELIVER))).warnings,
                *besides,
                *(f"Failures cannot be listed. {sentence}" for sentence in uncallable),
                *await index_warnings(connection),
            ]


async def _create_migrations(connection: Connection) -> None:
    """Creates the table of migrations where it is missing, if the database can hold ours."""
    state = await _state(connection)
    if problems := [*_problems_of_database(state)]:
        raise SchemaRefused(problems)
    if not state["migrations_exist"]:
        await connection.execute(sql.CREATE_MIGRATIONS)


async def _state(connection: Connection) -> DictRow:
    cursor = await connection.execute(sql.MIGRATIONS_EXIST)
    state = await cursor.fetchone()
    assert state is not None  # noqa: S101 - the statement returns one row
    return state


def _problems_of_database(state: DictRow) -> Iterator[str]:
    """Why it cannot hold our tables; those that it holds already are no question."""
    if state["migrations_exist"]:
        return
    if state["encoding"] not in _ENCODINGS:
        yield (
            f"The database has the encoding {state['encoding']}, which cannot hold every text; use "
            "one with ENCODING 'UTF8'."
        )
    if state["schema"] is None:
        yield (
            f"No schema of the search_path ({state['search_path']}) exists and may be used; create "
            "one, or set another search_path."
        )
    elif not state["may_create"]:
        yield (
            f"The role {state['role']} may not create tables in the schema {state['schema']}; run: "
            f"GRANT CREATE ON SCHEMA {state['schema']} TO {state['role']};"
        )


async def _due(connection: Connection) -> Sequence[tuple[str, LiteralString]]:
    """The migrations that were not applied; all since the first of which something was lost.

    Each keeps what exists, so it can be applied again.
    """
    applied, lost = await _applied(connection), await incomplete(connection)
    first_lost = min((name for name in lost if name in applied), default=None)
    return [
        (name, text)
        for name, text in _migrations()
        if name not in applied or (first_lost is not None and name >= first_lost)
    ]


def _not_restored(lost: Mapping[str, Sequence[str]]) -> str:
    missing = ", ".join(one for names in lost.values() for one in names)
    return (
        f"{missing} is missing although its table exists; add it as the migration has it, or, if "
        "nothing in the table is needed, drop the table; then migrate again."
    )


async def _apply(connection: Connection, name: str, text: LiteralString) -> None:
    try:
        await connection.execute(text, prepare=False)
    except psycopg.errors.InsufficientPrivilege as error:
        message = error.diag.message_primary
        raise SchemaRefused(
            [f"The migration {name} cannot be applied: {message}. Migrate as the table's owner."]
        ) from error
    except (psycopg.ProgrammingError, psycopg.IntegrityError) as error:
        raise SchemaRefused(
            [f"The migration {name} cannot be applied: {error.diag.message_primary}."]
        ) from None  # PostgreSQL's details may quote a row


async def _applied(connection: Connection) -> frozenset[str]:
    if not (await _state(connection))["migrations_exist"]:
        return frozenset()
    cursor = await connection.execute(sql.APPLIED_MIGRATIONS)
    return frozenset([row["name"] for row in await cursor.fetchall()])
