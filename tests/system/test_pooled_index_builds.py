"""Indexes are built behind pgbouncer, where nothing can be set in a session."""

import asyncio
from collections.abc import Iterator

import psycopg
import pytest

from automation_retry.application import SchemaRefused
from tests.support.command import COMMAND, running
from tests.support.indexes import (
    INDEXES,
    create_filled_table,
    execute,
    insert,
    migrating,
    old_transaction,
    valid_indexes,
    warnings_of,
)
from tests.support.pgbouncer import PgBouncer, running_pgbouncer
from tests.support.postgres_server import PostgresServer, running_server


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """Without a pooler."""
    with running_server() as server:
        yield server


@pytest.fixture
def direct_url(server: PostgresServer) -> str:
    """A database in which another program made and filled the table."""
    url = server.new_database()
    create_filled_table(url)
    return url


@pytest.fixture
def pooler(direct_url: str) -> Iterator[PgBouncer]:
    with running_pgbouncer(direct_url) as pooler:
        yield pooler


async def test_indexes_are_built_behind_a_pooler(direct_url: str, pooler: PgBouncer) -> None:
    """By one of several processes, beside writers, and it is told for whom it waits."""
    url = pooler.before(direct_url)
    async with old_transaction(direct_url):
        first, told = migrating(url)
        await told.until("has to end first")
        second, lines = migrating(url)
        await lines.until("waiting for another process")
        insert(direct_url, 10)
    built = await first
    by_second = await second

    assert [name for name in built if name in INDEXES] == INDEXES
    assert by_second == []
    assert valid_indexes(direct_url) == {*INDEXES}
    assert await warnings_of(url) == []


async def test_a_build_goes_on_without_its_process(direct_url: str, pooler: PgBouncer) -> None:
    """PostgreSQL does not learn that the client has gone; the next `migrate` waits for it."""
    url = pooler.before(direct_url)
    async with old_transaction(direct_url):
        with running([COMMAND, "migrate"], {"DATABASE_URL": url}) as migrate:
            await asyncio.to_thread(migrate.until, "has to end first")
            migrate.process.kill()
        resumed, told = migrating(url)
        waits = await told.until("which builds an index on automation_executions")
    built = await resumed

    assert waits.startswith("waiting for the session ")
    assert built == INDEXES[1:]
    assert valid_indexes(direct_url) == {*INDEXES}


@pytest.mark.parametrize("limit", ["statement_timeout", "lock_timeout"])
async def test_a_time_limit_of_the_role_is_told(direct_url: str, limit: str) -> None:
    """With what to do: without the pooler the same role builds the index."""
    with psycopg.connect(direct_url) as connection:
        name = connection.info.dbname
    execute(direct_url, f"ALTER DATABASE \"{name}\" SET {limit} = '1s'")
    # The pooler's sessions begin with the limit.
    with running_pgbouncer(direct_url) as pooler:
        async with old_transaction(direct_url):
            refused, _ = migrating(pooler.before(direct_url))
            with pytest.raises(SchemaRefused) as error:
                await refused
    async with old_transaction(direct_url):
        direct, told = migrating(direct_url)
        await told.until("has to end first")
        await asyncio.sleep(1.5)
        waits = not direct.done()
    await direct

    assert str(error.value).startswith(f"The index {INDEXES[0]} cannot be built: canceling statem")
    assert str(error.value).endswith("migrate with a DATABASE_URL that names PostgreSQL itself.")
    assert waits
    assert valid_indexes(direct_url) == {*INDEXES}
