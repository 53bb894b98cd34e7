"""The indexes of `automation_executions`, as the database has them."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import quote

import psycopg
from attrs import field, frozen
from psycopg.sql import SQL

from automation_retry.entrypoints.lifecycle import migrate_database
from automation_retry.entrypoints.settings import read_settings
from tests.support.foreign_rows import create_table
from tests.support.world import running_service

PATIENCE_S = 30
INDEXES: Final = [
    "automation_retry_executions_started",
    "automation_retry_executions_rule",
    "automation_retry_executions_failed",
    "automation_retry_executions_group",
]


def valid_indexes(url: str) -> set[str]:
    """The names of those that are built completely."""
    with psycopg.connect(url, autocommit=True) as connection:
        rows = connection.execute(
            "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
            " WHERE i.indrelid = 'automation_executions'::regclass AND i.indisvalid"
            " AND c.relname LIKE 'automation_retry_%'"
        ).fetchall()
    return {name for (name,) in rows}


def with_options(url: str, *options: str) -> str:
    """The URL of sessions that begin with these command-line options of the server."""
    return f"{url}{'&' if '?' in url else '?'}options={quote(' '.join(options))}"


def create_filled_table(url: str, rows: int = 1000, **types: str) -> None:
    """An `automation_executions` of another program, with failed and completed executions."""
    create_table(url, **types)
    insert(url, rows, types.get("status", "text"))


def insert(url: str, rows: int, status: str = "text") -> None:
    """Adds executions, every other one failed; `status` is the type of that column."""
    statement = SQL(
        "INSERT INTO automation_executions (tenant, execution_id, automation_rule_id, status,"
        " started_at, completed_at, actions_total, error_message)"
        " SELECT gen_random_uuid(), gen_random_uuid(), gen_random_uuid(),"
        " CASE n %% 2 WHEN 0 THEN 'failed' ELSE 'completed' END::{status},"
        " timestamp '2026-11-26' + n * interval '1 second',"
        " timestamp '2026-11-27' + n * interval '1 second', 1, 'status code ' || n"
        " FROM generate_series(1, %s) AS n"
    ).format(status=SQL(status))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement, (rows,))


def execute(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())


@frozen
class Told:
    """The lines that a migration prints."""

    lines: list[str] = field(factory=list)

    async def until(self, text: str) -> str:
        """The first line that has it."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                for line in self.lines:
                    if text in line:
                        return line
                await asyncio.sleep(0.02)


def migrating(url: str) -> tuple[asyncio.Task[Sequence[str]], Told]:
    """A `migrate` that has begun."""
    told = Told()
    settings = read_settings({"DATABASE_URL": url})
    return asyncio.create_task(migrate_database(settings, told.lines.append)), told


@asynccontextmanager
async def old_transaction(url: str) -> AsyncIterator[psycopg.AsyncConnection]:
    """One that has seen the database, and so holds up the builds of indexes until it ends."""
    async with await psycopg.AsyncConnection.connect(url) as connection:
        await connection.set_isolation_level(psycopg.IsolationLevel.REPEATABLE_READ)
        await connection.execute("SELECT FROM pg_class")
        yield connection
        await connection.rollback()


async def warnings_of(url: str) -> list[str]:
    """What `/readyz` warns of; it must be ready."""
    async with running_service({"DATABASE_URL": url}) as world:
        answer = await world.client.get("/readyz")
    assert answer.status_code == 200
    warnings: list[str] = answer.json()["data"].get("warnings", [])
    return warnings
