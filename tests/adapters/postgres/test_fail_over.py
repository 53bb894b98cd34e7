"""A standby, its promotion, and what moves connections to it: healed without a restart."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import pytest
from attrs import frozen

from automation_retry.entrypoints.lifecycle import migrate_database
from automation_retry.entrypoints.settings import read_settings
from tests.support.factories import a_failed_execution
from tests.support.own_postgres import OWNER, Pair, running_pair
from tests.support.server_process import HOST
from tests.support.switching_proxy import switching_proxy
from tests.support.world import EXECUTIONS, World, running_service

HEALED_WITHIN_S = 5
HANGING_S = 12
"""A retry on the connection that hangs takes 10 s: it may have been committed."""
DATABASE = "automation"


@frozen
class Standby:
    """A pair of servers, with executions of a tenant, and a key."""

    pair: Pair
    tenant: UUID
    key: str
    executions: tuple[UUID, ...]


@pytest.fixture
def pair() -> Iterator[Pair]:
    with running_pair() as pair:
        pair.primary.new_database(DATABASE)
        yield pair


@pytest.fixture
async def standby(pair: Pair) -> Standby:
    variables = {
        "DATABASE_URL": pair.primary.url(database=DATABASE),
        "AUTOMATION_RETRY_RELAY": "false",
    }
    await migrate_database(read_settings(variables))
    async with running_service(variables) as world:
        key = await world.key()
        executions = tuple(uuid4() for _ in range(20))
        for one in executions:
            await world.add(a_failed_execution(tenant=world.tenant, execution_id=one))
    await asyncio.to_thread(pair.replay)
    return Standby(pair, world.tenant, key, executions)


@asynccontextmanager
async def serving(url: str) -> AsyncIterator[World]:
    async with running_service({"DATABASE_URL": url}) as world:
        yield world


async def statuses(world: World, one: Standby) -> list[int]:
    """Of the reads that the service has."""
    path = f"{EXECUTIONS}/{one.executions[0]}"
    answers = [await world.get(path, one.key), await world.get(f"{path}/attempts", one.key)]
    return [answer.status_code for answer in answers]


async def healed(world: World, one: Standby, execution: UUID) -> None:
    """A retry succeeds in time, and then the service is ready."""
    async with asyncio.timeout(HEALED_WITHIN_S):
        while (await world.retry(execution, one.key)).status_code != 200:
            pass
        while (await world.client.get("/readyz")).status_code != 200:
            pass


async def test_a_standby_is_not_ready_and_answers_reads(standby: Standby) -> None:
    """Each kind of read, with any key that is not counted; ready when it was promoted."""
    async with serving(standby.pair.standby.url(database=DATABASE)) as world:
        found = await statuses(world, standby)
        refused = await world.retry(standby.executions[0], standby.key)
        ready = await world.client.get("/readyz")
        await asyncio.to_thread(standby.pair.standby.promote)
        await healed(world, standby, standby.executions[0])

    assert found == [200, 200]
    assert refused.status_code == 503
    assert ready.status_code == 503
    assert ready.json()["error"]["details"]["problems"] == [
        (
            "PostgreSQL is a standby, so nothing can be written; promote it, or name the primary "
            "in DATABASE_URL, which may list several hosts."
        )
    ]


@pytest.mark.parametrize("first", ["primary", "standby"])
async def test_an_url_of_several_hosts(standby: Standby, first: str) -> None:
    """Finds the primary wherever it is in the list, and the promoted standby after it died."""
    pair = standby.pair
    url = pair.url(DATABASE) if first == "primary" else reversed_hosts(pair.url(DATABASE))
    async with serving(url) as world:
        before = await world.retry(standby.executions[0], standby.key)
        await asyncio.to_thread(pair.replay)
        await asyncio.to_thread(pair.primary.kill)
        reads = await statuses(world, standby)
        while_down = await world.retry(standby.executions[1], standby.key)
        await asyncio.to_thread(pair.standby.promote)
        await healed(world, standby, standby.executions[1])
        # The old primary comes back as a standby of the new one.
        await asyncio.to_thread(pair.primary.follow, pair.standby)
        await asyncio.to_thread(pair.primary.start)
        for one in standby.executions[2:10]:
            assert (await world.retry(one, standby.key)).status_code == 200

    assert before.status_code == 200
    assert reads == [200, 200]
    assert while_down.status_code == 503


def reversed_hosts(url: str) -> str:
    head, _, rest = url.partition("@")
    hosts, _, database = rest.partition("/")
    return f"{head}@{','.join(reversed(hosts.split(',')))}/{database}"


async def test_a_primary_that_hangs(standby: Standby) -> None:
    """It accepts connections and says nothing; the other host is found all the same."""
    pair = standby.pair
    async with serving(pair.url(DATABASE)) as world:
        before = await world.retry(standby.executions[0], standby.key)
        await asyncio.to_thread(pair.replay)
        pair.primary.pause()
        try:
            await asyncio.to_thread(pair.standby.promote)
            async with asyncio.timeout(HANGING_S):
                while (await world.retry(standby.executions[1], standby.key)).status_code != 200:
                    pass
        finally:
            pair.primary.resume()

    assert before.status_code == 200


@pytest.mark.parametrize("cut", [True, False])
async def test_a_proxy_that_moves(standby: Standby, *, cut: bool) -> None:
    """Whether it ends the connections to the old primary, or leaves them to what is a standby."""
    pair = standby.pair
    async with switching_proxy(pair.primary.port) as proxy:
        url = f"postgresql://{OWNER}@{HOST}:{proxy.port}/{DATABASE}"
        async with serving(url) as world:
            before = await world.retry(standby.executions[0], standby.key)
            await asyncio.to_thread(pair.replay)
            # From now on the old primary refuses to write, as when it is fenced.
            pair.primary.execute(
                "ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()"
            )
            await asyncio.to_thread(pair.standby.promote)
            proxy.server_port = pair.standby.port
            if cut:
                proxy.cut()
            await healed(world, standby, standby.executions[1])
            answers = [await world.retry(one, standby.key) for one in standby.executions[2:10]]

    assert before.status_code == 200
    assert [answer.status_code for answer in answers] == [200] * 8


async def test_the_relay_goes_on_at_the_new_primary(standby: Standby) -> None:
    """What was committed before the fail-over and not delivered is delivered after it."""
    pair = standby.pair
    variables = {
        "DATABASE_URL": pair.url(DATABASE),
        "AUTOMATION_RETRY_RELAY": "false",
        "AUTOMATION_RETRY_JOB_QUEUE": "redis",
        "AUTOMATION_RETRY_EVENT_BUS": "none",
        "AUTOMATION_RETRY_REDIS_URL": "redis://127.0.0.1:1",
    }
    async with running_service(variables) as world:
        for one in standby.executions[:3]:
            assert (await world.retry(one, standby.key)).status_code == 200
    await asyncio.to_thread(pair.replay)
    async with serving(pair.url(DATABASE)) as world:
        await asyncio.to_thread(pair.primary.kill)
        await asyncio.to_thread(pair.standby.promote)
        async with asyncio.timeout(30):
            while await asyncio.to_thread(pair.standby.count, "automation_outbox", DATABASE):
                pass
        jobs = pair.standby.count("procrastinate_jobs", DATABASE)
        healthy = await world.client.get("/healthz")

    assert jobs == 3
    assert healthy.status_code == 200
