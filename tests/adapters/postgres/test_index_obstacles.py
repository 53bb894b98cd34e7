"""Indexes that `migrate` cannot or must not build by itself."""

import asyncio
import re
from typing import LiteralString
from uuid import uuid4

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from automation_retry.application import SchemaRefused
from tests.support.command import run
from tests.support.indexes import (
    INDEXES,
    create_filled_table,
    execute,
    insert,
    migrating,
    valid_indexes,
    warnings_of,
    with_options,
)

PARTITIONED: LiteralString = """
CREATE TABLE plain (LIKE automation_executions);
DROP TABLE automation_executions;
CREATE TABLE automation_executions (LIKE plain, PRIMARY KEY (tenant, execution_id))
    PARTITION BY HASH (tenant);
CREATE TABLE executions_0 PARTITION OF automation_executions
    FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE executions_1 PARTITION OF automation_executions
    FOR VALUES WITH (MODULUS 2, REMAINDER 1);
DROP TABLE plain;
"""


@pytest.fixture
def partitioned_url(empty_database_url: str) -> str:
    """A database in which another program made the table, in partitions."""
    create_filled_table(empty_database_url, rows=0)
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute(PARTITIONED)
    return empty_database_url


async def test_an_empty_partitioned_table_gets_its_indexes(partitioned_url: str) -> None:
    """Nobody has to wait for that."""
    running, _ = migrating(partitioned_url)
    applied = await running

    assert [name for name in applied if name in INDEXES] == INDEXES
    assert valid_indexes(partitioned_url) == {*INDEXES}
    assert await warnings_of(partitioned_url) == []


async def test_a_filled_partitioned_table_is_left_to_its_owner(partitioned_url: str) -> None:
    """`migrate` says what to run and succeeds; what it says helps, beside writers."""
    insert(partitioned_url, 100)

    ended = await asyncio.to_thread(run, "migrate", DATABASE_URL=partitioned_url)
    told = [line for line in ended.stdout.splitlines() if not line.startswith("applied ")]
    warnings = await warnings_of(partitioned_url)
    script = await asyncio.to_thread(run, "migrate", "--dry-run", DATABASE_URL=partitioned_url)
    for line in told:
        statement = line[line.index("CREATE INDEX IF NOT") :]
        for part in ("executions_0", "executions_1"):
            own = re.sub(r"IF NOT EXISTS \S+ ON automation_executions", f"ON {part}", statement)
            execute(partitioned_url, own.replace("INDEX", "INDEX CONCURRENTLY", 1))
        execute(partitioned_url, statement)
    again = await asyncio.to_thread(run, "migrate", DATABASE_URL=partitioned_url)

    with psycopg.connect(partitioned_url, autocommit=True) as connection:
        built = connection.execute(
            "SELECT FROM pg_indexes WHERE tablename IN ('executions_0', 'executions_1')"
        )
    assert ended.returncode == 0
    assert len(told) == len(INDEXES)
    assert told == warnings
    assert script.stdout == "".join(f"-- {line}\n" for line in told)
    assert valid_indexes(partitioned_url) == {*INDEXES}
    assert built.rowcount == 2 * (len(INDEXES) + 1)
    assert again.stdout == "up to date\n"


async def test_a_role_that_may_not_build_is_told(database_url: str) -> None:
    """As for other migrations."""
    role = f"r{uuid4().hex}"
    execute(database_url, f"DROP INDEX {INDEXES[0]}")
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(SQL("CREATE ROLE {}").format(Identifier(role)))
        connection.execute(
            SQL("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {}").format(Identifier(role))
        )
    running, _ = migrating(with_options(database_url, f"-crole={role}"))
    with pytest.raises(SchemaRefused) as refused:
        await running

    assert str(refused.value) == (
        f"The index {INDEXES[0]} cannot be built: must be owner of table automation_executions."
        " Migrate as the table's owner."
    )


async def test_a_row_that_an_index_refuses_is_told_without_its_values(
    empty_database_url: str,
) -> None:
    """As where somebody has changed a function; what was built before stays."""
    create_filled_table(empty_database_url, rows=10)
    first, _ = migrating(empty_database_url)
    await first
    execute(
        empty_database_url,
        "CREATE OR REPLACE FUNCTION automation_retry_failed_at("
        " completed_at timestamptz, started_at timestamptz) RETURNS timestamptz LANGUAGE sql"
        " IMMUTABLE RETURN (started_at::text || 'secret')::timestamptz",
    )
    execute(empty_database_url, f"DROP INDEX {INDEXES[0]}")
    execute(empty_database_url, f"DROP INDEX {INDEXES[2]}")
    second, _ = migrating(empty_database_url)
    with pytest.raises(SchemaRefused) as refused:
        await second

    assert str(refused.value).startswith(f"The index {INDEXES[2]} cannot be built: Invalid")
    assert "secret" not in str(refused.value)
    assert valid_indexes(empty_database_url) == {INDEXES[0], INDEXES[1], INDEXES[3]}
