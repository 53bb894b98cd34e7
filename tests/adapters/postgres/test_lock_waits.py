"""Requests for a locked row wait in memory, for a bounded time, and do not delay others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import LiteralString

import httpx
import psycopg
import pytest

from automation_retry.domain import Execution
from tests.support.factories import a_failed_execution
from tests.support.world import EXECUTIONS, World, running_service, with_key

PATIENCE_S = 30
LOCK_ALL: LiteralString = "SELECT FROM automation_executions FOR UPDATE"
LOCK_ONE: LiteralString = """
SELECT FROM automation_executions WHERE execution_id = %(execution_id)s FOR UPDATE
"""
LOCK_KEYS: LiteralString = "SELECT FROM api_keys WHERE usage_limit IS NOT NULL FOR UPDATE"
WAITING: LiteralString = """
SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()
"""


@asynccontextmanager
async def connected(
    url: str, *, autocommit: bool = False
) -> AsyncIterator[psycopg.AsyncConnection]:
    connecting = psycopg.AsyncConnection.connect(url, autocommit=autocommit)
    async with asyncio.timeout(PATIENCE_S), await connecting as connection:
        yield connection


async def lock_waits(url: str) -> int:
    async with connected(url, autocommit=True) as connection:
        return (await connection.execute(WAITING)).rowcount


async def until_lock_waits(url: str, count: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while await lock_waits(url) != count:
            pass


@asynccontextmanager
async def impatient_world(url: str) -> AsyncIterator[World]:
    """The service on that database; a request has a second."""
    variables = {
        "DATABASE_URL": url,
        "AUTOMATION_RETRY_RELAY": "false",
        "AUTOMATION_RETRY_REQUEST_TIMEOUT_MS": "1000",
    }
    async with running_service(variables) as world:
        yield world


async def failed_executions(world: World, count: int) -> list[Execution]:
    return [await world.add(a_failed_execution(tenant=world.tenant)) for _ in range(count)]


async def test_many_retries_of_a_locked_execution_wait_on_one_connection(
    postgres_world: World, database_url: str
) -> None:
    """Others are retried and read meanwhile, readiness is as before; then one of them wins."""
    world, key = postgres_world, await postgres_world.key()
    locked, *others = await failed_executions(world, 9)
    async with connected(database_url) as engine:
        await engine.execute(LOCK_ONE, {"execution_id": locked.execution_id})
        waiting = [asyncio.create_task(world.retry(locked.execution_id, key)) for _ in range(30)]
        await until_lock_waits(database_url, 1)
        async with asyncio.timeout(5):
            retried = await asyncio.gather(*[world.retry(one.execution_id, key) for one in others])
            read = await world.get(f"{EXECUTIONS}/{locked.execution_id}", key)
            ready = await world.client.get("/readyz")
        waits = await lock_waits(database_url)
        unanswered = sum(not one.done() for one in waiting)
    answers = await asyncio.gather(*waiting)

    assert [one.status_code for one in retried] == [200] * 8
    assert (read.status_code, ready.status_code) == (200, 200)
    assert (waits, unanswered) == (1, 30)
    assert sorted(one.status_code for one in answers) == [200] + [400] * 29


async def test_the_holder_of_the_lock_decides(postgres_world: World, database_url: str) -> None:
    """Those that waited are answered by what it left."""
    world, key = postgres_world, await postgres_world.key()
    [execution] = await failed_executions(world, 1)
    async with connected(database_url) as engine:
        await engine.execute(
            "UPDATE automation_executions SET status = 'completed' WHERE execution_id = %s",
            (execution.execution_id,),
        )
        waiting = [asyncio.create_task(world.retry(execution.execution_id, key)) for _ in range(5)]
        await until_lock_waits(database_url, 1)
    answers = await asyncio.gather(*waiting)

    assert [one.status_code for one in answers] == [400] * 5
    assert {one.json()["error"]["details"]["status"] for one in answers} == {"completed"}


async def test_few_connections_wait_for_locks_at_all(
    postgres_world: World, database_url: str
) -> None:
    """With many locked executions as well, others are retried."""
    world, key = postgres_world, await postgres_world.key()
    locked = await failed_executions(world, 20)
    async with connected(database_url) as engine:
        await engine.execute(LOCK_ALL)
        waiting = [asyncio.create_task(world.retry(one.execution_id, key)) for one in locked]
        await until_lock_waits(database_url, 3)
        [other] = await failed_executions(world, 1)
        async with asyncio.timeout(5):
            retried = await world.retry(other.execution_id, key)
        waits = await lock_waits(database_url)
    answers = await asyncio.gather(*waiting)

    assert retried.status_code == 200
    assert waits == 3
    assert [one.status_code for one in answers] == [200] * 20


async def test_many_uses_of_a_locked_key_wait_on_one_connection(
    postgres_world: World, database_url: str
) -> None:
    """Another key is accepted meanwhile; then exactly as many get in as its limit leaves."""
    world, key = postgres_world, await postgres_world.key()
    limited = await world.key(username="limited", usage_limit=5)
    executions = await failed_executions(world, 13)
    async with connected(database_url) as administrator:
        await administrator.execute(LOCK_KEYS)
        waiting = [
            asyncio.create_task(world.retry(one.execution_id, limited)) for one in executions[:12]
        ]
        await until_lock_waits(database_url, 1)
        async with asyncio.timeout(5):
            other = await world.retry(executions[12].execution_id, key)
        waits = await lock_waits(database_url)
    answers = await asyncio.gather(*waiting)

    assert other.status_code == 200
    assert waits == 1
    assert sorted(one.status_code for one in answers) == [200] * 5 + [401] * 7


async def test_waiting_for_a_lock_ends_with_the_time_of_the_request(database_url: str) -> None:
    """503, nothing is written, and the server no longer waits either."""
    async with impatient_world(database_url) as world, connected(database_url) as engine:
        key = await world.key()
        [execution] = await failed_executions(world, 1)
        await engine.execute(LOCK_ALL)
        async with asyncio.timeout(PATIENCE_S):
            answers = await asyncio.gather(
                *[world.retry(execution.execution_id, key) for _ in range(5)]
            )
        await until_lock_waits(database_url, 0)
        await engine.rollback()
        read = await world.get(f"{EXECUTIONS}/{execution.execution_id}", key)

    assert [one.status_code for one in answers] == [503] * 5
    assert {one.json()["error"]["code"] for one in answers} == {"SERVICE_UNAVAILABLE"}
    assert read.json()["data"]["status"] == "failed"


@pytest.mark.parametrize("body", [b"", b"{}"])
async def test_a_caller_that_went_away_waits_no_longer(
    postgres_world: World, database_url: str, body: bytes
) -> None:
    """Its retry is not made when the lock is released."""
    world, key = postgres_world, await postgres_world.key()
    [execution] = await failed_executions(world, 1)
    async with connected(database_url) as engine:
        await engine.execute(LOCK_ALL)
        path = f"{EXECUTIONS}/{execution.execution_id}/retry"
        async with httpx.AsyncClient(base_url=world.client.base_url) as impatient:
            leaving = asyncio.create_task(
                impatient.post(path, headers=with_key(key, {}), content=body)
            )
            await until_lock_waits(database_url, 1)
            leaving.cancel()
            await asyncio.gather(leaving, return_exceptions=True)
        await until_lock_waits(database_url, 0)
    read = await world.get(f"{EXECUTIONS}/{execution.execution_id}", key)

    assert read.json()["data"]["status"] == "failed"


async def test_ddl_behind_a_long_transaction_heals_by_itself(database_url: str) -> None:
    """503 for what touches the table, as long as it lasts; readiness and health answer."""
    async with impatient_world(database_url) as world, connected(database_url) as reader:
        key = await world.key()
        [execution] = await failed_executions(world, 1)
        path = f"{EXECUTIONS}/{execution.execution_id}"
        await reader.execute("SELECT FROM automation_executions")
        ddl = asyncio.create_task(_add_column(database_url))
        await until_lock_waits(database_url, 1)
        async with asyncio.timeout(PATIENCE_S):
            blocked = await asyncio.gather(*[world.get(path, key) for _ in range(10)])
            ready = await world.client.get("/readyz")
        await reader.rollback()
        await ddl
        async with asyncio.timeout(PATIENCE_S):
            healed = await world.get(path, key)
            retried = await world.retry(execution.execution_id, key)

    assert [one.status_code for one in blocked] == [503] * 10
    assert ready.status_code == 200
    assert (healed.status_code, retried.status_code) == (200, 200)


async def _add_column(url: str) -> None:
    async with connected(url, autocommit=True) as administrator:
        await administrator.execute("ALTER TABLE automation_executions ADD COLUMN note text")
