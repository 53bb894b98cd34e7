"""A Redis that is down, hangs or refuses delays messages, and neither loses nor duplicates them."""

import asyncio

import pytest
from redis.asyncio import Redis

from automation_retry.adapters.redis.broker import redis_broker
from automation_retry.adapters.redis.settings import RedisSettings
from automation_retry.application import BrokerUnavailable, MessageKind
from tests.adapters.redis.redis_streams import EVENTS, JOBS, bodies, client, entries, opened
from tests.support.envelopes import json_body, send
from tests.support.factories import a_job, an_event
from tests.support.lossy_proxy import lossy_proxy
from tests.support.redis_server import RedisServer, running_redis
from tests.support.server_process import HOST


async def test_continues_after_a_restart(own_redis: RedisServer) -> None:
    """The same objects send again, and Redis still knows which messages it has."""
    first, second = a_job(), a_job()
    async with opened(own_redis.url) as broker:
        await send(broker, [first])
        await asyncio.to_thread(own_redis.kill)
        with pytest.raises(BrokerUnavailable, match="redis is unavailable"):
            await send(broker, [second])
        await asyncio.to_thread(own_redis.start)
        await send(broker, [first, second])

    assert await bodies(own_redis.url, JOBS, "job") == [json_body(first), json_body(second)]


async def test_a_restart_between_two_messages_goes_unnoticed(own_redis: RedisServer) -> None:
    """A connection that broke while it was idle is replaced before it is used."""
    first, second = an_event(), an_event()
    async with opened(own_redis.url) as broker:
        await send(broker, [first])
        await asyncio.to_thread(own_redis.stop)
        await asyncio.to_thread(own_redis.start)
        await send(broker, [second])

    assert await bodies(own_redis.url, EVENTS, "event") == [
        json_body(first),
        json_body(second),
    ]


async def test_may_be_opened_before_redis_is_there(own_redis: RedisServer) -> None:
    """It is connected to when it is needed."""
    await asyncio.to_thread(own_redis.stop)
    async with opened(own_redis.url) as broker:
        with pytest.raises(BrokerUnavailable):
            await send(broker, [a_job()])
        await asyncio.to_thread(own_redis.start)
        await send(broker, [a_job()])

    assert len(await entries(own_redis.url, JOBS)) == 1


async def test_a_closed_connection_sends_nothing(own_redis: RedisServer) -> None:
    """Before it is opened, and after it was closed; it may be opened again."""
    broker = redis_broker(RedisSettings(url=own_redis.url))
    with pytest.raises(BrokerUnavailable, match="closed"):
        await send(broker, [a_job()])
    for _ in range(2):
        await broker.lifecycle.open()
        await send(broker, [a_job()])
        await broker.lifecycle.close()
        with pytest.raises(BrokerUnavailable, match="closed"):
            await send(broker, [a_job()])

    assert len(await entries(own_redis.url, JOBS)) == 2


async def test_a_lost_reply_adds_nothing_twice(own_redis: RedisServer) -> None:
    """Redis added the job, its acknowledgement was lost, and the job is sent again."""
    first, second = a_job(), a_job()
    async with (
        lossy_proxy(own_redis.port) as proxy,
        opened(f"redis://{HOST}:{proxy.port}/0") as broker,
    ):
        await send(broker, [first])
        proxy.lose_reply()
        with pytest.raises(BrokerUnavailable):
            await send(broker, [second])
        assert proxy.lost
        assert len(await entries(own_redis.url, JOBS)) == 2
        await send(broker, [second])

    assert await bodies(own_redis.url, JOBS, "job") == [json_body(first), json_body(second)]


async def test_a_redis_that_hangs_counts_as_unavailable(own_redis: RedisServer) -> None:
    """What it executes after it recovered is not executed twice."""
    event = an_event()
    async with opened(own_redis.url, timeout_s=0.2) as broker:
        await send(broker, [an_event()])
        own_redis.pause()
        with pytest.raises(BrokerUnavailable):
            await send(broker, [event])  # on the connection that it has
        with pytest.raises(BrokerUnavailable):
            await send(broker, [event])  # on a new one
        own_redis.resume()
    async with opened(own_redis.url) as broker:
        await send(broker, [event])

    assert len(await entries(own_redis.url, EVENTS)) == 2


async def _command(redis: Redis, words: str) -> None:
    await redis.execute_command(*words.split())  # type: ignore[no-untyped-call]


async def test_closing_does_not_wait_for_a_redis_that_stops_reading(own_redis: RedisServer) -> None:
    """What is being sent counts as not acknowledged."""
    jobs = [a_job(request_id="x" * 500_000) for _ in range(40)]
    async with asyncio.timeout(60), opened(own_redis.url, timeout_s=0.5) as broker:
        await send(broker, [a_job()])
        own_redis.pause()
        sending = asyncio.create_task(send(broker, jobs))
        await asyncio.sleep(0.1)
        await broker.lifecycle.close()

        with pytest.raises(BrokerUnavailable):
            await sending


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
async def test_what_redis_rejects_is_accepted_later(
    own_redis: RedisServer, hinder: str, allow: str, reason: str
) -> None:
    """In particular, a message that could not be added has no marker."""
    jobs = [a_job(), a_job()]
    async with opened(own_redis.url) as broker, client(own_redis.url) as redis:
        await _command(redis, hinder)
        with pytest.raises(BrokerUnavailable, match=reason):
            await send(broker, jobs)
        await _command(redis, allow)
        await send(broker, jobs)

    assert await bodies(own_redis.url, JOBS, "job") == [json_body(job) for job in jobs]


async def test_a_wrong_password_is_an_outage_that_does_not_reveal_it() -> None:
    """The log says that it is wrong, not what it is."""
    with running_redis("--requirepass", "right") as server:
        url = f"redis://:secret-word@{HOST}:{server.port}"
        async with opened(url) as broker:
            with pytest.raises(BrokerUnavailable) as unavailable:
                await send(broker, [a_job()])

    assert "password" in unavailable.value.reason
    assert "secret-word" not in str(unavailable.value)
    assert "secret-word" not in repr(RedisSettings(url=url))


async def test_a_cluster_without_all_its_slots_is_an_outage() -> None:
    """As while it fails over."""
    with running_redis("--cluster-enabled", "yes") as server:
        async with opened(server.url) as broker:
            with pytest.raises(BrokerUnavailable, match=r"(?i)hash ?slot"):
                await send(broker, [a_job()])


async def test_problems_say_what_is_wrong(own_redis: RedisServer) -> None:
    """For an operator: the server's problem once, else that of each stream; nothing when well."""
    async with opened(own_redis.url) as broker, client(own_redis.url) as redis:
        assert await broker.readiness.problems() == []

        await redis.set(JOBS, "text")
        await redis.set(EVENTS, "text")
        assert await broker.readiness.problems() == [
            f"The key {JOBS} of Redis holds a string, not a stream.",
            f"The key {EVENTS} of Redis holds a string, not a stream.",
        ]

        await redis.config_set("appendonly", "no")
        [problem] = await broker.readiness.problems()
        assert "appendonly" in problem

        await redis.config_set("maxmemory-policy", "allkeys-lru")
        [problem] = await broker.readiness.problems()
        assert "allkeys-lru" in problem

        await redis.replicaof(HOST, 1)
        [problem] = await broker.readiness.problems()
        assert "replica" in problem

        await asyncio.to_thread(own_redis.kill)
        [problem] = await broker.readiness.problems()
        assert "Redis is unavailable" in problem


@pytest.mark.parametrize("kind", MessageKind)
async def test_problems_of_a_stream_that_is_not_used_do_not_matter(
    own_redis: RedisServer, kind: MessageKind
) -> None:
    """Jobs and events may go to different brokers."""
    used, unused = (JOBS, EVENTS) if kind is MessageKind.JOB else (EVENTS, JOBS)
    async with (
        opened(own_redis.url, kinds=frozenset([kind])) as broker,
        client(own_redis.url) as redis,
    ):
        await redis.set(unused, "text")
        assert await broker.readiness.problems() == []

        await redis.set(used, "text")
        assert await broker.readiness.problems() == [
            f"The key {used} of Redis holds a string, not a stream."
        ]
