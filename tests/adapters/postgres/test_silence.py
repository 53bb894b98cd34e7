"""A database that says nothing: every wait ends, and what works is used at once."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, LiteralString

import httpx
import psycopg
import pytest

from automation_retry import open_service, read_settings
from automation_retry.adapters.postgres import Database
from automation_retry.application import StorageUnavailable
from automation_retry.domain import Execution
from tests.support.factories import a_failed_execution, a_principal
from tests.support.freezing_proxy import FreezingProxy, freezing_proxy
from tests.support.world import World, running_service

PATIENCE_S = 30
"""Many times the budget of a request here: what has not been answered then hangs."""
OURS: LiteralString = """
SELECT pid FROM pg_stat_activity
WHERE application_name = 'automation-retry' AND datname = current_database()
"""
RUNNING: LiteralString = """
SELECT FROM pg_stat_activity WHERE query LIKE '%pg_sleep(99)%' AND pid <> pg_backend_pid()
"""


@pytest.fixture
async def proxy(database_url: str) -> AsyncIterator[FreezingProxy]:
    async with freezing_proxy(database_url) as proxy:
        yield proxy


@pytest.fixture
async def world(proxy: FreezingProxy) -> AsyncIterator[World]:
    """The service behind the proxy; a request has 2 s."""
    variables = {
        "DATABASE_URL": proxy.url,
        "AUTOMATION_RETRY_RELAY": "false",
        "AUTOMATION_RETRY_REQUEST_TIMEOUT_MS": "2000",
        "AUTOMATION_RETRY_POOL_MIN_SIZE": "4",
    }
    async with running_service(variables) as world:
        yield world


async def failed_executions(world: World, count: int) -> Sequence[Execution]:
    return [await world.add(a_failed_execution(tenant=world.tenant)) for _ in range(count)]


async def all_retried(
    world: World, key: str, executions: Sequence[Execution]
) -> Sequence[httpx.Response]:
    async with asyncio.timeout(PATIENCE_S):
        return await asyncio.gather(*[world.retry(one.execution_id, key) for one in executions])


def assert_unavailable(answer: httpx.Response) -> None:
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "SERVICE_UNAVAILABLE"
    assert answer.headers["retry-after"] == "1"
    assert answer.headers["x-request-id"]


async def test_frozen_connections_are_replaced(world: World, proxy: FreezingProxy) -> None:
    """Requests of several keys are all answered, and the next ones succeed."""
    keys = [await world.key(username=name) for name in ("ada", "bob", "eve")]
    executions = await failed_executions(world, 15)
    await all_retried(world, keys[0], executions[:3])
    proxy.freeze()

    answers = [
        answer
        for some in await asyncio.gather(
            *[all_retried(world, key, executions[3 + n : 12 : 3]) for n, key in enumerate(keys)]
        )
        for answer in some
    ]
    later = await all_retried(world, keys[0], executions[12:])

    assert {answer.status_code for answer in answers} <= {200, 503}
    for answer in answers:
        if answer.status_code == 503:
            assert_unavailable(answer)
    assert [answer.status_code for answer in later] == [200, 200, 200]


async def test_a_read_on_a_frozen_connection_is_asked_again(
    world: World, proxy: FreezingProxy
) -> None:
    """It succeeds on another connection, within the request's time."""
    key = await world.key()
    [execution] = await failed_executions(world, 1)
    proxy.freeze()

    async with asyncio.timeout(PATIENCE_S):
        answer = await world.get(
            f"/api/v1/automation/executions/{execution.execution_id}/attempts", key
        )

    assert answer.status_code == 200


async def test_a_database_that_answers_nobody_is_unavailable(
    world: World, proxy: FreezingProxy
) -> None:
    """503 for requests and readiness, as long as it lasts; then everything works by itself."""
    key = await world.key()
    executions = await failed_executions(world, 5)
    proxy.freezes_new = True
    proxy.freeze()
    answers = await all_retried(world, key, executions)
    async with asyncio.timeout(PATIENCE_S):
        ready = await world.client.get("/readyz")
        alive = await world.client.get("/healthz")
    proxy.freezes_new = False

    for answer in (*answers, ready):
        assert_unavailable(answer)
    assert alive.status_code == 200
    async with asyncio.timeout(PATIENCE_S):
        while (await world.client.get("/readyz")).status_code != 200:
            pass
        [last] = await all_retried(world, key, executions[:1])
        assert last.status_code in {200, 400}  # 400: the first one was committed after all


async def test_waiting_for_a_connection_is_part_of_the_time(database_url: str) -> None:
    """Whatever the pool itself would wait; the request is served once there is one."""
    variables = {
        "DATABASE_URL": database_url,
        "AUTOMATION_RETRY_RELAY": "false",
        "AUTOMATION_RETRY_REQUEST_TIMEOUT_MS": "500",
        "AUTOMATION_RETRY_POOL_MIN_SIZE": "1",
        "AUTOMATION_RETRY_POOL_MAX_SIZE": "1",
        "AUTOMATION_RETRY_POOL_TIMEOUT_MS": "3600000",
    }
    async with running_service(variables) as world:
        key = await world.key()
        executions = await failed_executions(world, 3)
        async with world.container.database().connection():
            answers = await all_retried(world, key, executions)
        later = await all_retried(world, key, executions)

    for answer in answers:
        assert_unavailable(answer)
    assert [answer.status_code for answer in later] == [200, 200, 200]


@contextmanager
def stopped(url: str) -> Iterator[None]:
    """The server processes of the service's connections are stopped, as by a debugger."""
    with psycopg.connect(url) as connection:
        pids = [row[0] for row in connection.execute(OURS)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


async def test_stopped_server_processes_hold_up_nobody_for_long(
    world: World, database_url: str
) -> None:
    """New connections get new processes, and are used at once."""
    key = await world.key()
    executions = await failed_executions(world, 8)
    with stopped(database_url):
        first = await all_retried(world, key, executions[:4])
        second = await all_retried(world, key, executions[4:])

    assert {answer.status_code for answer in first} <= {200, 503}
    assert [answer.status_code for answer in second] == [200] * 4


@asynccontextmanager
async def opened(url: str, **options: Any) -> AsyncIterator[Database]:
    database = Database(url, min_size=1, max_size=2, **options)
    await database.open()
    try:
        yield database
    finally:
        await database.close()


def without_timeouts(url: str) -> str:
    """So that the server does not end a statement by itself."""
    return f"{url}&options=-c%20statement_timeout%3D0"


async def until_nothing_runs(url: str) -> None:
    connecting = psycopg.AsyncConnection.connect(url, autocommit=True)
    async with asyncio.timeout(PATIENCE_S), await connecting as connection:
        while (await connection.execute(RUNNING)).rowcount:
            await connection.execute("SELECT pg_sleep(0.01)")


async def test_a_statement_that_takes_too_long_is_ended_on_the_server(database_url: str) -> None:
    """It holds neither a lock nor a process of the server any longer."""
    async with opened(without_timeouts(database_url), answer_within=0.3) as database:
        with pytest.raises(StorageUnavailable) as raised:
            await database.fetch_once("SELECT pg_sleep(99)", {})
        assert raised.value.reason == "NoAnswer: no answer within 0.3 s"
        await until_nothing_runs(database_url)

        assert await database.fetch_once("SELECT 1 AS one", {}) == [{"one": 1}]


async def test_a_cancelled_caller_ends_its_statement(database_url: str) -> None:
    """The connection is replaced, and the caller does not wait for the server to agree."""
    async with opened(without_timeouts(database_url)) as database:
        caller = asyncio.create_task(database.fetch_once("SELECT pg_sleep(99)", {}))
        await asyncio.sleep(0.2)
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        await until_nothing_runs(database_url)

        assert await database.fetch_once("SELECT 1 AS one", {}) == [{"one": 1}]


async def test_transactions_are_bounded_as_well(proxy: FreezingProxy) -> None:
    """A relay's claim on a connection that freezes ends with an error, and with it the claim."""
    async with opened(proxy.url, answer_within=0.3) as database:
        with pytest.raises(StorageUnavailable):
            await _claim_and_freeze(database, proxy)

        assert await database.fetch_once("SELECT 1 AS one", {}) == [{"one": 1}]


async def _claim_and_freeze(database: Database, proxy: FreezingProxy) -> None:
    async with database.claiming() as connection:
        await connection.execute("SELECT 1")
        proxy.freeze()
        await connection.execute("SELECT 1")


async def test_callers_in_process_have_the_same_time(database_url: str) -> None:
    """A use case that waits for a lock raises an error in the end."""
    settings = read_settings(
        {"DATABASE_URL": database_url, "AUTOMATION_RETRY_REQUEST_TIMEOUT_MS": "500"}
    )
    execution = a_failed_execution()
    async with open_service(settings) as service:
        await service.executions.add([execution])
        connecting = psycopg.AsyncConnection.connect(database_url)
        async with asyncio.timeout(PATIENCE_S), await connecting as blocker:
            await blocker.execute("SELECT FROM automation_executions FOR UPDATE")
            with pytest.raises(StorageUnavailable):
                await service.retry_execution(
                    a_principal(tenant=execution.tenant), execution.execution_id
                )
