"""A row lock delays only the requests for that row: shared statements never wait for locks."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any, LiteralString

import httpx
import psycopg
import pytest

from automation_retry.domain import Execution, Principal
from tests.support.factories import a_failed_execution, a_principal, a_retry_write
from tests.support.world import World

EXECUTION: LiteralString = """
SELECT FROM automation_executions WHERE execution_id = %(execution_id)s FOR UPDATE
"""
LIMITED_KEYS: LiteralString = "SELECT FROM api_keys WHERE usage_limit IS NOT NULL FOR UPDATE"
LOCK_WAITS: LiteralString = """
SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()
"""


@pytest.fixture
async def failed(postgres_world: World) -> list[Execution]:
    tenant = postgres_world.tenant
    return [await postgres_world.add(a_failed_execution(tenant=tenant)) for _ in range(4)]


@asynccontextmanager
async def locked(url: str, statement: LiteralString, **parameters: Any) -> AsyncIterator[None]:
    """The rows of the statement are locked by another transaction."""
    async with await psycopg.AsyncConnection.connect(url) as connection:
        await connection.execute(statement, parameters)
        yield


async def until_a_lock_is_awaited(url: str) -> None:
    connecting = psycopg.AsyncConnection.connect(url, autocommit=True)
    async with asyncio.timeout(30), await connecting as connection:
        while not (await connection.execute(LOCK_WAITS)).rowcount:
            await connection.execute("SELECT pg_sleep(0.01)")


async def answered(*requests: Awaitable[httpx.Response]) -> list[httpx.Response]:
    async with asyncio.timeout(5):
        return list(await asyncio.gather(*requests))


async def test_a_locked_execution_delays_no_other(
    postgres_world: World, database_url: str, failed: list[Execution]
) -> None:
    """The others are retried meanwhile; its own retry succeeds after the lock is released."""
    world, key = postgres_world, await postgres_world.key()
    async with locked(database_url, EXECUTION, execution_id=failed[0].execution_id):
        waiting = asyncio.create_task(world.retry(failed[0].execution_id, key))
        await until_a_lock_is_awaited(database_url)
        others = await answered(*[world.retry(one.execution_id, key) for one in failed[1:]])
        waits = not waiting.done()

    assert [other.status_code for other in others] == [200, 200, 200]
    assert waits
    assert (await waiting).status_code == 200


async def test_a_group_commit_skips_a_locked_execution(
    postgres_world: World, database_url: str, failed: list[Execution]
) -> None:
    """Requested together with the others, it alone is answered later."""
    world, key = postgres_world, await postgres_world.key()
    async with locked(database_url, EXECUTION, execution_id=failed[2].execution_id):
        retries = [asyncio.create_task(world.retry(one.execution_id, key)) for one in failed]
        others = await answered(retries[0], retries[1], retries[3])
        await until_a_lock_is_awaited(database_url)
        waits = not retries[2].done()

    assert [other.status_code for other in others] == [200, 200, 200]
    assert waits
    assert (await retries[2]).status_code == 200


async def test_a_unit_of_work_of_several_delays_no_other(
    postgres_world: World, database_url: str, failed: list[Execution]
) -> None:
    """While it waits for one of its executions, single retries succeed."""
    world, key = postgres_world, await postgres_world.key()
    caller = a_principal(tenant=world.tenant)
    async with locked(database_url, EXECUTION, execution_id=failed[0].execution_id):
        waiting = asyncio.create_task(_retried_together(world, caller, failed[:2]))
        await until_a_lock_is_awaited(database_url)
        others = await answered(*[world.retry(one.execution_id, key) for one in failed[2:]])
        waits = not waiting.done()

    assert [other.status_code for other in others] == [200, 200]
    assert waits
    assert await waiting == frozenset()


async def _retried_together(
    world: World, caller: Principal, executions: list[Execution]
) -> frozenset[Any]:
    async with world.storage.new_unit_of_work() as work:
        for execution in executions:
            a_retry_write(execution, by=caller).stage(work)
        lost: frozenset[Any] = (await work.commit()).lost
        return lost


async def test_a_locked_key_delays_no_other(
    postgres_world: World, database_url: str, failed: list[Execution]
) -> None:
    """A use that must be counted waits for its row; another key is accepted meanwhile."""
    world, key = postgres_world, await postgres_world.key()
    limited = await world.key(username="limited", usage_limit=5)
    async with locked(database_url, LIMITED_KEYS):
        waiting = asyncio.create_task(world.retry(failed[0].execution_id, limited))
        await until_a_lock_is_awaited(database_url)
        others = await answered(*[world.retry(one.execution_id, key) for one in failed[1:]])
        waits = not waiting.done()

    assert [other.status_code for other in others] == [200, 200, 200]
    assert waits
    assert (await waiting).status_code == 200
