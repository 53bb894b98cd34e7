"""A Redis that is down, hangs or refuses holds messages up, and neither loses nor doubles them."""

import asyncio

import pytest
from redis.asyncio import Redis

from automation_retry.adapters.json_codec import message_body
from automation_retry.adapters.redis import RedisConnection, RedisQueue, RedisSettings
from automation_retry.application import EngineUnavailable
from tests.engines.lossy_proxy import lossy_proxy
from tests.engines.redis_engine import EVENTS, JOBS, bodies, client, entries, opened
from tests.factories import a_job, an_event
from tests.servers.redis_server import RedisServer, running_redis
from tests.servers.server_process import HOST


async def test_goes_on_after_a_restart(own_redis: RedisServer) -> None:
    """The same objects hand over again, and Redis still knows what it has."""
    first, second = a_job(), a_job()
    async with opened(own_redis.url) as engine:
        await engine.queue.enqueue([first])
        await asyncio.to_thread(own_redis.kill)
        with pytest.raises(EngineUnavailable, match="redis is unavailable"):
            await engine.queue.enqueue([second])
        await asyncio.to_thread(own_redis.start)
        await engine.queue.enqueue([first, second])

    assert await bodies(own_redis.url, JOBS, "job") == [message_body(first), message_body(second)]


async def test_a_restart_between_two_messages_goes_unnoticed(own_redis: RedisServer) -> None:
    """A connection that broke while it was idle is replaced before it is used."""
    first, second = an_event(), an_event()
    async with opened(own_redis.url) as engine:
        await engine.bus.publish([first])
        await asyncio.to_thread(own_redis.stop)
        await asyncio.to_thread(own_redis.start)
        await engine.bus.publish([second])

    assert await bodies(own_redis.url, EVENTS, "event") == [
        message_body(first),
        message_body(second),
    ]


async def test_may_be_opened_before_redis_is_there(own_redis: RedisServer) -> None:
    """It is connected to when it is needed."""
    await asyncio.to_thread(own_redis.stop)
    async with opened(own_redis.url) as engine:
        with pytest.raises(EngineUnavailable):
            await engine.queue.enqueue([a_job()])
        await asyncio.to_thread(own_redis.start)
        await engine.queue.enqueue([a_job()])

    assert len(await entries(own_redis.url, JOBS)) == 1


async def test_a_closed_connection_hands_nothing_over(own_redis: RedisServer) -> None:
    """Before it is opened, and after it was closed; it may be opened again."""
    connection = RedisConnection(RedisSettings(url=own_redis.url))
    queue = RedisQueue(connection)
    with pytest.raises(EngineUnavailable, match="closed"):
        await queue.enqueue([a_job()])
    for _ in range(2):
        await connection.open()
        await queue.enqueue([a_job()])
        await connection.close()
        with pytest.raises(EngineUnavailable, match="closed"):
            await queue.enqueue([a_job()])

    assert len(await entries(own_redis.url, JOBS)) == 2


async def test_a_lost_reply_adds_nothing_twice(own_redis: RedisServer) -> None:
    """Redis had added the job, nobody heard of it, and the job comes again."""
    first, second = a_job(), a_job()
    async with (
        lossy_proxy(own_redis.port) as proxy,
        opened(f"redis://{HOST}:{proxy.port}/0") as engine,
    ):
        await engine.queue.enqueue([first])
        proxy.lose_reply()
        with pytest.raises(EngineUnavailable):
            await engine.queue.enqueue([second])
        assert proxy.lost
        assert len(await entries(own_redis.url, JOBS)) == 2
        await engine.queue.enqueue([second])

    assert await bodies(own_redis.url, JOBS, "job") == [message_body(first), message_body(second)]


async def test_a_redis_that_hangs_is_given_up(own_redis: RedisServer) -> None:
    """What it does after it recovered is not done twice."""
    event = an_event()
    async with opened(own_redis.url, timeout_s=0.2) as engine:
        await engine.bus.publish([an_event()])
        own_redis.pause()
        with pytest.raises(EngineUnavailable):
            await engine.bus.publish([event])  # on the connection that it has
        with pytest.raises(EngineUnavailable):
            await engine.bus.publish([event])  # on a new one
        own_redis.resume()
    async with opened(own_redis.url) as engine:
        await engine.bus.publish([event])

    assert len(await entries(own_redis.url, EVENTS)) == 2


async def _command(redis: Redis, words: str) -> None:
    await redis.execute_command(*words.split())  # type: ignore[no-untyped-call]


async def test_closing_does_not_wait_for_a_redis_that_reads_no_more(own_redis: RedisServer) -> None:
    """What is being handed over counts as not acknowledged."""
    jobs = [a_job(request_id="x" * 500_000) for _ in range(40)]
    async with asyncio.timeout(60), opened(own_redis.url, timeout_s=0.5) as engine:
        await engine.queue.enqueue([a_job()])
        own_redis.pause()
        handing_over = asyncio.create_task(engine.queue.enqueue(jobs))
        await asyncio.sleep(0.1)
        await engine.connection.close()

        with pytest.raises(EngineUnavailable):
            await handing_over


@pytest.mark.parametrize(
    ("hinder", "allow", "reason"),
    [
        ("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0", "OOM|maxmemory"),
        ("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE", "read only replica"),
        (f"SET {JOBS} text", f"DEL {JOBS}", "wrong kind of value"),
        (
            "CONFIG SET min-replicas-to-write 1",
            "CONFIG SET min-replicas-to-write 0",
            "(?i)not enough good replicas",
        ),
        (
            "ACL SETUSER default -xadd",
            "ACL SETUSER default +xadd",
            "can't run this command|permissions",
        ),
    ],
    ids=["full", "replica", "other type", "no replicas", "no permission"],
)
async def test_what_redis_would_not_take_is_taken_later(
    own_redis: RedisServer, hinder: str, allow: str, reason: str
) -> None:
    """Above all, what could not be added does not count as added."""
    jobs = [a_job(), a_job()]
    async with opened(own_redis.url) as engine, client(own_redis.url) as redis:
        await _command(redis, hinder)
        with pytest.raises(EngineUnavailable, match=reason):
            await engine.queue.enqueue(jobs)
        await _command(redis, allow)
        await engine.queue.enqueue(jobs)

    assert await bodies(own_redis.url, JOBS, "job") == [message_body(job) for job in jobs]


async def test_a_wrong_password_is_an_outage_that_keeps_the_password() -> None:
    """Whoever reads the log learns that it is wrong, not what it is."""
    with running_redis("--requirepass", "right") as server:
        async with opened(f"redis://:secret-word@{HOST}:{server.port}") as engine:
            with pytest.raises(EngineUnavailable) as unavailable:
                await engine.queue.enqueue([a_job()])

    assert "password" in unavailable.value.reason
    assert "secret-word" not in str(unavailable.value)
    assert "secret-word" not in repr(engine.connection.settings)


async def test_a_cluster_without_all_its_slots_is_an_outage() -> None:
    """As while it fails over."""
    with running_redis("--cluster-enabled", "yes") as server:
        async with opened(server.url) as engine:
            with pytest.raises(EngineUnavailable, match=r"(?i)hash ?slot"):
                await engine.queue.enqueue([a_job()])


async def test_problem_says_what_is_wrong(own_redis: RedisServer) -> None:
    """For an operator, one thing at a time, and nothing when all is well."""
    async with opened(own_redis.url) as engine, client(own_redis.url) as redis:
        assert await engine.queue.problem() is None
        assert await engine.bus.problem() is None

        await redis.set(EVENTS, "text")
        assert await engine.queue.problem() is None
        assert (
            await engine.bus.problem() == f"The key {EVENTS} of Redis holds a string, not a stream."
        )

        await redis.config_set("appendonly", "no")
        assert "appendonly" in (await engine.queue.problem() or "")

        await redis.config_set("maxmemory-policy", "allkeys-lru")
        assert "allkeys-lru" in (await engine.queue.problem() or "")

        await redis.replicaof(HOST, 1)
        assert "replica" in (await engine.queue.problem() or "")

        await asyncio.to_thread(own_redis.kill)
        assert "Redis is unavailable" in (await engine.queue.problem() or "")
