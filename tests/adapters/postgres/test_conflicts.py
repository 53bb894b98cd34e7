"""Serialization failures and deadlocks are tried again, not told to the caller."""

import asyncio
from typing import LiteralString

import psycopg
import pytest

from tests.support.factories import a_failed_execution
from tests.support.world import EXECUTIONS, World, running_service

# A sequence is not rolled back, so that the conflict passes.
CONFLICTS: LiteralString = """
CREATE SEQUENCE conflicts;
CREATE FUNCTION conflict() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.error_message IS NULL AND OLD.error_message = 'conflicts'
       AND nextval('conflicts') <= %(times)s
    THEN RAISE EXCEPTION 'conflict' USING ERRCODE = %(sqlstate)s; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER conflict BEFORE UPDATE ON automation_executions
    FOR EACH ROW EXECUTE FUNCTION conflict();
"""


def conflicting(url: str, times: int, sqlstate: str) -> None:
    """The first updates of executions whose error is 'conflicts' end with that error."""
    statement = CONFLICTS.replace("%(times)s", str(times)).replace("%(sqlstate)s", f"'{sqlstate}'")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())


@pytest.mark.parametrize("sqlstate", ["40001", "40P01"])
@pytest.mark.parametrize("times", [1, 12])
async def test_a_conflict_that_passes_is_not_told(
    postgres_world: World, database_url: str, sqlstate: str, times: int
) -> None:
    """200, and one retry."""
    world = postgres_world
    conflicting(database_url, times, sqlstate)
    key = await world.key()
    execution = await world.add(a_failed_execution(tenant=world.tenant, error_message="conflicts"))
    answer = await world.retry(execution.execution_id, key)
    attempts = await world.get(f"{EXECUTIONS}/{execution.execution_id}/attempts", key)

    assert answer.status_code == 200
    assert attempts.json()["pagination"]["total"] == 1


async def test_a_conflict_that_does_not_pass_is_the_callers_own(database_url: str) -> None:
    """503 at the end of its time; others that arrive together with it are not held up."""
    variables = {
        "DATABASE_URL": database_url,
        "AUTOMATION_RETRY_RELAY": "false",
        "AUTOMATION_RETRY_REQUEST_TIMEOUT_MS": "3000",
    }
    conflicting(database_url, 1_000_000, "40001")
    async with running_service(variables) as world:
        key = await world.key()
        bad = await world.add(a_failed_execution(tenant=world.tenant, error_message="conflicts"))
        good = [await world.add(a_failed_execution(tenant=world.tenant)) for _ in range(30)]
        # The first one runs by itself, the others form a batch meanwhile.
        first = asyncio.create_task(world.retry(good[0].execution_id, key))
        refused = asyncio.create_task(world.retry(bad.execution_id, key))
        others = [world.retry(one.execution_id, key) for one in good[1:]]
        answers = [*await asyncio.gather(*others), await first]
        waits = not refused.done()
        unchanged = await world.get(f"{EXECUTIONS}/{bad.execution_id}", key)
        answer = await refused

    assert [one.status_code for one in answers] == [200] * 30
    assert waits
    assert answer.status_code == 503
    assert unchanged.json()["data"]["status"] == "failed"


@pytest.mark.parametrize("sqlstate", ["57014", "55P03", "53300", "25006"])
async def test_an_error_of_one_row_is_its_callers_own(
    postgres_world: World, database_url: str, sqlstate: str
) -> None:
    """Whatever its class: nothing of the group was committed, so the others are tried again."""
    world = postgres_world
    conflicting(database_url, 1_000_000, sqlstate)
    key = await world.key()
    bad = await world.add(a_failed_execution(tenant=world.tenant, error_message="conflicts"))
    good = [await world.add(a_failed_execution(tenant=world.tenant)) for _ in range(20)]
    middle = len(good) // 2
    together = [*good[:middle], bad, *good[middle:]]
    answers = await asyncio.gather(*[world.retry(one.execution_id, key) for one in together])

    assert [answer.status_code for answer in answers] == [200] * 10 + [503] + [200] * 10


@pytest.mark.parametrize("isolation", ["repeatable read", "serializable"])
async def test_any_isolation_of_the_session(
    postgres_world: World, database_url: str, isolation: LiteralString
) -> None:
    """As behind a pooler, where the session's isolation is not ours: one winner, no error."""
    world = postgres_world
    key = await world.key()
    for _ in range(10):
        async with world.container.database().connection() as connection:
            await connection.execute(f"SET default_transaction_isolation = '{isolation}'")
    executions = [await world.add(a_failed_execution(tenant=world.tenant)) for _ in range(5)]
    locking = await psycopg.AsyncConnection.connect(database_url)
    async with locking:
        await locking.execute("UPDATE automation_executions SET retry_count = retry_count")
        races = asyncio.gather(
            *[world.retry(one.execution_id, key) for one in executions for _ in range(4)]
        )
        await asyncio.sleep(0.3)
        await locking.commit()
        answers = await races

    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [200] * 5 + [400] * 15
