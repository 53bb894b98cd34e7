"""Lists that take too long, and what they leave to retries."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import psycopg
import pytest

from automation_retry.adapters.postgres import Database
from automation_retry.adapters.postgres.limited_queries import LimitedQueries
from automation_retry.adapters.postgres.query_turns import QueryTurns
from automation_retry.application import QueryTooBroad, StorageUnavailable
from automation_retry.domain import failure_group_id
from tests.support.factories import a_failed_execution
from tests.support.world import EXECUTIONS, World, running_service

SLEEP = "SELECT pg_sleep(60)"
BROAD = f"{EXECUTIONS}?search=none&failure_group_id={failure_group_id(None, 'none')}"
# Folding takes a second, and there is no index that has the groups.
SLOW_GROUPS = """
DROP INDEX automation_retry_executions_group;
CREATE OR REPLACE FUNCTION
    automation_retry_failure_group(automation_rule_id uuid, error_message text)
RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS
'BEGIN PERFORM pg_sleep(1); RETURN 0; END'
"""
ACTIVE = """
SELECT FROM pg_stat_activity
WHERE datname = current_database() AND state = 'active' AND backend_type = 'client backend'
  AND pid <> pg_backend_pid() AND (query LIKE '%pg_sleep%' OR query LIKE '%failure_group%')
"""


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    await database.open()
    yield database
    await database.close()


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with running_service(
        {"DATABASE_URL": database_url, "AUTOMATION_RETRY_RELAY": "false"}
    ) as world:
        yield world


async def until_active(connection: psycopg.Connection, number: int) -> None:
    while connection.execute(ACTIVE).rowcount < number:  # noqa: ASYNC110 - the server's state
        await asyncio.sleep(0.01)


async def test_the_server_stops_what_takes_too_long(database: Database, database_url: str) -> None:
    """The session is of use again at once."""
    queries = LimitedQueries(database, seconds=0.2)

    with pytest.raises(QueryTooBroad) as refused:
        await queries.fetch(SLEEP, {})
    rows = await queries.fetch("SELECT current_setting('statement_timeout') AS timeout", {})

    assert refused.value.within_s == 0.2
    assert rows == [{"timeout": "200ms"}]
    with psycopg.connect(database_url) as connection:
        assert connection.execute(ACTIVE).rowcount == 0


async def test_the_limit_ends_with_the_query(database: Database) -> None:
    """Other statements of the session have the session's own."""
    before = await database.fetch("SELECT current_setting('statement_timeout') AS timeout", {})
    await LimitedQueries(database, seconds=0.2).fetch("SELECT 1", {})
    after = await database.fetch("SELECT current_setting('statement_timeout') AS timeout", {})

    assert after == before


async def test_a_query_that_somebody_cancels_is_not_too_broad(
    database: Database, database_url: str
) -> None:
    queries = asyncio.create_task(LimitedQueries(database, seconds=30).fetch(SLEEP, {}))
    with psycopg.connect(database_url, autocommit=True) as connection:
        await until_active(connection, 1)
        connection.execute(ACTIVE.replace("FROM", "pg_cancel_backend(pid) FROM", 1))

        with pytest.raises(StorageUnavailable):
            await queries


async def test_a_locked_table_is_not_too_broad(world: World, database_url: str) -> None:
    """503: another time would not help."""
    key = await world.key()
    with psycopg.connect(database_url) as connection:
        connection.execute("LOCK automation_executions IN ACCESS EXCLUSIVE MODE")
        answer = await world.get(EXECUTIONS, key)

    assert answer.status_code == 503


async def test_slow_lists_delay_nobody_else(world: World, database_url: str) -> None:
    """A tenant has one at a time: 422 past its time, and 503 for those that wait as long."""
    key = await world.key()
    executions = [
        await world.add(a_failed_execution(tenant=world.tenant, error_message="none"))
        for _ in range(5)
    ]
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(SLOW_GROUPS)
        broad = [asyncio.create_task(world.get(BROAD, key)) for _ in range(4)]
        await until_active(connection, 1)
        retried = await world.retry(executions[0].execution_id, key)
        quick = await world.get(EXECUTIONS, key)
        active = connection.execute(ACTIVE).rowcount
        done_meanwhile = [task.done() for task in broad]
        answers = await asyncio.gather(*broad)

    assert active == 1
    assert (retried.status_code, quick.status_code) == (200, 200)
    assert not any(done_meanwhile)
    codes = {answer.json()["error"]["code"] for answer in answers}
    assert codes == {"QUERY_TOO_BROAD", "SERVICE_UNAVAILABLE"}


async def test_another_tenants_slow_list_has_a_turn() -> None:
    """Queries that an index answers have turns of their own."""
    turns = QueryTurns.of_pool(10, seconds=0.2)
    mine, other = uuid4(), uuid4()
    async with turns.turn(mine, indexed=False):
        with pytest.raises(StorageUnavailable):
            async with turns.turn(mine, indexed=False):
                pass
        async with turns.turn(other, indexed=False), turns.turn(mine, indexed=True):
            entered = True

    assert entered
