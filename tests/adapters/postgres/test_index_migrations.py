"""Indexes that `migrate` builds on a table that is large and in use."""

import asyncio

import psycopg
import pytest

from tests.support.factories import a_failed_execution
from tests.support.indexes import (
    INDEXES,
    create_filled_table,
    execute,
    insert,
    migrating,
    old_transaction,
    valid_indexes,
    warnings_of,
    with_options,
)
from tests.support.world import running_service

TYPES = """
CREATE SCHEMA "an odd.one";
CREATE TYPE "an odd.one"."a state" AS ENUM ('pending', 'failed', 'completed');
CREATE DOMAIN some_state AS "an odd.one"."a state";
CREATE DOMAIN short AS varchar(200);
CREATE DOMAIN moment AS timestamptz(3);
"""
FAILED = "status = 'failed'"


@pytest.mark.parametrize(
    ("types", "failed"),
    [
        ({}, FAILED),
        ({"status": "varchar(20)", "error_message": "varchar(500)"}, FAILED),
        ({"status": "char(12)", "started_at": "timestamp", "completed_at": "timestamp(3)"}, FAILED),
        ({"status": '"an odd.one"."a state"', "completed_at": "timestamp"}, FAILED),
        ({"status": "short", "started_at": "moment", "error_message": "short"}, FAILED),
        ({"status": "some_state"}, """status::"an odd.one"."a state" = 'failed'"""),
    ],
    ids=str,
)
async def test_a_table_of_another_program_gets_all_indexes(
    empty_database_url: str, types: dict[str, str], failed: str
) -> None:
    """Whatever types it has: they serve the condition, are known again, and nobody warns."""
    execute(empty_database_url, TYPES)
    create_filled_table(empty_database_url, 1000, **types)

    first, _ = migrating(empty_database_url)
    applied = await first
    second, _ = migrating(empty_database_url)
    again = await second

    query = (
        f"EXPLAIN SELECT FROM automation_executions WHERE {failed}"
        " AND tenant = '00000000-0000-0000-0000-000000000000'"
        " ORDER BY automation_retry_failed_at(completed_at, started_at), execution_id"
    )
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute("SET enable_seqscan = off; SET enable_bitmapscan = off")
        plan = str(connection.execute(query.encode()).fetchall())
    assert [name for name in applied if name in INDEXES] == INDEXES
    assert valid_indexes(empty_database_url) == {*INDEXES}
    assert again == []
    assert "automation_retry_executions_failed" in plan
    assert "Sort" not in plan
    assert await warnings_of(empty_database_url) == []


async def test_each_build_is_told(empty_database_url: str) -> None:
    """Before with the size of the table as far as it is known, and after with its time."""
    create_filled_table(empty_database_url, rows=2000)
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE automation_executions")

    running, told = migrating(empty_database_url)
    await running

    before = await told.until(f"building {INDEXES[0]} on automation_executions")
    after = await told.until(f"applied {INDEXES[0]} in ")
    assert "(about 2,000 rows, " in before
    assert after.endswith(" s")
    assert told.lines.index(before) == told.lines.index(after) - 1


async def test_an_old_transaction_holds_up_the_build_and_nobody_else(
    empty_database_url: str,
) -> None:
    """The output names it; readers and writers of the table go on at once."""
    create_filled_table(empty_database_url)
    async with old_transaction(empty_database_url) as old:
        running, told = migrating(empty_database_url)
        waits = await told.until("has to end first; readers and writers go on meanwhile")
        with psycopg.connect(empty_database_url, autocommit=True) as connection:
            connection.execute("SET lock_timeout = '1s'")
            changed = connection.execute("UPDATE automation_executions SET status = 'failed'")
            insert(empty_database_url, 10)
        waited, pid = not running.done(), old.info.backend_pid
    await running

    assert f"the transaction of session {pid} (" in waits
    assert "idle in transaction" in waits
    assert waited
    assert changed.rowcount == 1000
    assert valid_indexes(empty_database_url) == {*INDEXES}


async def test_a_service_goes_on_beside_a_build(database_url: str) -> None:
    """Its retries are not held up, and it stays ready with a warning."""
    execute(database_url, f"DROP INDEX {INDEXES[3]}")
    async with running_service({"DATABASE_URL": database_url}) as world:
        key = await world.key()
        failed = await world.add(a_failed_execution(tenant=world.tenant))
        async with old_transaction(database_url):
            running, told = migrating(database_url)
            await told.until("has to end first")
            retried = await world.retry(failed.execution_id, key)
            during = await world.client.get("/readyz")
            waited = not running.done()
        await running
        after = await world.client.get("/readyz")

    assert retried.status_code == 200
    assert waited
    assert INDEXES[3] in str(during.json()["data"]["warnings"])
    assert after.json() == {"data": {"status": "ready"}}


async def test_time_limits_of_the_session_do_not_end_a_build(database_url: str) -> None:
    """Not even those that the URL sets: a large table takes longer than any statement of ours."""
    execute(database_url, f"DROP INDEX {INDEXES[0]}")
    limits = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
    url = with_options(database_url, *(f"-c {name}=500" for name in limits))
    async with old_transaction(database_url):
        running, told = migrating(url)
        await told.until("has to end first")
        await asyncio.sleep(1)
        waited = not running.done()
    built = await running

    assert waited
    assert built == [INDEXES[0]]


async def test_rows_that_are_written_meanwhile_are_in_the_index(empty_database_url: str) -> None:
    """Those of writers that began before the index and those of later ones."""
    create_filled_table(empty_database_url)
    async with old_transaction(empty_database_url) as old:
        running, told = migrating(empty_database_url)
        await told.until("has to end first")
        insert(empty_database_url, 500)
        await old.commit()
        while not running.done():
            await asyncio.to_thread(insert, empty_database_url, 50)
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        count = "SELECT count(*) FROM automation_executions WHERE status = 'failed'"
        by_table = connection.execute(count).fetchall()
        connection.execute("SET enable_seqscan = off")
        by_index = connection.execute(count).fetchall()
        plan = connection.execute(f"EXPLAIN {count}").fetchall()

    assert "automation_retry_executions_" in str(plan)
    assert by_index == by_table


async def test_several_processes_build_each_index_once(empty_database_url: str) -> None:
    """One builds; the others wait without holding it up, and find nothing left to do."""
    create_filled_table(empty_database_url)
    async with old_transaction(empty_database_url):
        first, told = migrating(empty_database_url)
        await told.until("has to end first")
        others = [migrating(empty_database_url) for _ in range(2)]
        for _, lines in others:
            await lines.until("waiting for another process, which builds indexes")
    by_first = await first
    by_others = [await running for running, _ in others]

    assert [name for name in by_first if name in INDEXES] == INDEXES
    assert by_others == [[], []]
    assert valid_indexes(empty_database_url) == {*INDEXES}


async def test_a_deadlock_with_others_is_theirs_to_win(empty_database_url: str) -> None:
    """An old transaction wants a lock that the build holds: the build gives way and comes again."""
    create_filled_table(empty_database_url)
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute(
            f"ALTER DATABASE {connection.info.dbname} SET deadlock_timeout = '3s'".encode()
        )
    async with old_transaction(empty_database_url) as old:
        await old.execute("SET LOCAL deadlock_timeout = '1h'")
        running, told = migrating(empty_database_url)
        await told.until("has to end first")
        await old.execute("LOCK TABLE automation_executions IN SHARE UPDATE EXCLUSIVE MODE")
        interrupted = valid_indexes(empty_database_url)
    await running

    assert interrupted == set()
    assert f"dropping {INDEXES[0]}, whose build was interrupted" in told.lines
    assert valid_indexes(empty_database_url) == {*INDEXES}


async def test_a_build_of_somebody_else_is_waited_for(database_url: str) -> None:
    """As one that goes on although its process is gone; two at a time would be a deadlock."""
    execute(database_url, f"DROP INDEX {INDEXES[0]}")
    theirs = await psycopg.AsyncConnection.connect(database_url, autocommit=True)
    async with theirs:
        async with old_transaction(database_url):
            building = asyncio.create_task(
                theirs.execute("CREATE INDEX CONCURRENTLY theirs ON automation_executions (status)")
            )
            running, told = migrating(database_url)
            waits = await told.until("which builds an index on automation_executions")
        await building
        pid = theirs.info.backend_pid
    await running

    assert waits.startswith(f"waiting for the session {pid},")
    assert valid_indexes(database_url) == {*INDEXES}


async def test_a_new_table_has_its_indexes_at_once(empty_database_url: str) -> None:
    """Nobody can use it yet, so they are built in the transaction that creates it."""
    async with old_transaction(empty_database_url):
        running, told = migrating(empty_database_url)
        applied = await running

    assert [name for name in applied if name in INDEXES] == INDEXES
    assert [line for line in told.lines if not line.startswith("applied ")] == []
    assert valid_indexes(empty_database_url) == {*INDEXES}
