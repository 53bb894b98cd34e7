"""A NATS that is down or hangs holds messages up, and neither loses nor doubles them."""

import asyncio

import pytest

from automation_retry.adapters.json_codec import message_body
from automation_retry.adapters.nats import NatsConnection, NatsQueue, NatsSettings
from automation_retry.application import EngineUnavailable
from tests.engines.lossy_proxy import lossy_proxy
from tests.engines.nats_engine import EVENTS, JOBS, bodies, messages, opened
from tests.factories import a_job, an_event
from tests.servers.nats_server import NatsServer, running_nats
from tests.servers.server_process import HOST


async def test_goes_on_after_a_restart(own_nats: NatsServer) -> None:
    """The same objects hand over again, and NATS still knows what it has."""
    first, second = a_job(), a_job()
    async with opened(own_nats.url) as engine:
        await engine.queue.enqueue([first])
        await asyncio.to_thread(own_nats.kill)
        with pytest.raises(EngineUnavailable):
            await engine.queue.enqueue([second])
        await asyncio.to_thread(own_nats.start)
        await engine.queue.enqueue([first, second])

    assert await bodies(own_nats.url, JOBS) == [message_body(first), message_body(second)]


async def test_a_restart_between_two_messages_goes_unnoticed(own_nats: NatsServer) -> None:
    """A connection that broke while it was idle is replaced before it is used."""
    first, second = a_job(), a_job()
    async with opened(own_nats.url) as engine:
        await engine.queue.enqueue([first])
        await asyncio.to_thread(own_nats.stop)
        await asyncio.to_thread(own_nats.start)
        await engine.queue.enqueue([second])

    assert await bodies(own_nats.url, JOBS) == [message_body(first), message_body(second)]


async def test_may_be_opened_before_nats_is_there(own_nats: NatsServer) -> None:
    """It is connected to when it is needed."""
    await asyncio.to_thread(own_nats.stop)
    async with opened(own_nats.url) as engine:
        with pytest.raises(EngineUnavailable, match="ConnectionRefused"):
            await engine.queue.enqueue([a_job()])
        await asyncio.to_thread(own_nats.start)
        await engine.queue.enqueue([a_job()])

    assert len(await messages(own_nats.url, JOBS)) == 1


async def test_the_next_server_is_tried(own_nats: NatsServer) -> None:
    """Some of a cluster's servers may be down."""
    down = [f"nats://{HOST}:{port}" for port in (1, 2, 3)]
    async with opened(",".join([*down, own_nats.url])) as engine:
        await engine.queue.enqueue([a_job()])

    assert len(await messages(own_nats.url, JOBS)) == 1


async def test_a_closed_connection_hands_nothing_over(own_nats: NatsServer) -> None:
    """Before it is opened, and after it was closed; it may be opened again."""
    connection = NatsConnection(NatsSettings(servers=own_nats.url))
    queue = NatsQueue(connection)
    with pytest.raises(EngineUnavailable, match="closed"):
        await queue.enqueue([a_job()])
    for _ in range(2):
        await connection.open()
        await queue.enqueue([a_job()])
        await connection.close()
        with pytest.raises(EngineUnavailable, match="closed"):
            await queue.enqueue([a_job()])

    assert len(await messages(own_nats.url, JOBS)) == 2


async def test_a_lost_acknowledgement_keeps_nothing_twice(own_nats: NatsServer) -> None:
    """NATS had kept the job, nobody heard of it, and the job comes again."""
    first, second = a_job(), a_job()
    async with (
        lossy_proxy(own_nats.port) as proxy,
        opened(f"nats://{HOST}:{proxy.port}") as engine,
    ):
        await engine.queue.enqueue([first])
        proxy.lose_reply(b'"seq":2')
        with pytest.raises(EngineUnavailable, match="connection closed"):
            await engine.queue.enqueue([second])
        assert proxy.lost
        await engine.queue.enqueue([second])

    assert await bodies(own_nats.url, JOBS) == [message_body(first), message_body(second)]


async def test_a_nats_that_hangs_is_given_up(own_nats: NatsServer) -> None:
    """What it does after it recovered is not done twice."""
    event = an_event()
    async with opened(own_nats.url, timeout_s=0.2) as engine:
        await engine.bus.publish([an_event()])
        own_nats.pause()
        with pytest.raises(EngineUnavailable, match=r"no answer in 0\.2 s"):
            await engine.bus.publish([event])  # on the connection that it has
        with pytest.raises(EngineUnavailable):
            await engine.bus.publish([event])  # on a new one
        own_nats.resume()
    async with opened(own_nats.url) as engine:
        await engine.bus.publish([event])

    assert len(await messages(own_nats.url, EVENTS)) == 2


async def test_no_ghosts(own_nats: NatsServer) -> None:
    """What was given up while NATS was away does not turn up later by itself."""
    delivered = a_job()
    async with opened(own_nats.url, timeout_s=0.2) as engine:
        await engine.queue.enqueue([a_job()])
        own_nats.pause()
        with pytest.raises(EngineUnavailable):
            await engine.queue.enqueue([a_job() for _ in range(10)])
        await asyncio.to_thread(own_nats.kill)
        for _ in range(3):
            with pytest.raises(EngineUnavailable):
                await engine.queue.enqueue([a_job()])
        await asyncio.to_thread(own_nats.start)
        await messages(own_nats.url, JOBS)
        await engine.queue.enqueue([delivered])

        assert await bodies(own_nats.url, JOBS) == [message_body(delivered)]


async def test_closing_does_not_wait_for_a_nats_that_reads_no_more(own_nats: NatsServer) -> None:
    """Not even with more on its way than the network takes; nothing of it is left to send later."""
    jobs = [a_job(request_id="x" * 500_000) for _ in range(40)]
    before = asyncio.all_tasks()
    async with asyncio.timeout(60), opened(own_nats.url, timeout_s=0.5) as engine:
        await engine.queue.enqueue([a_job()])
        own_nats.pause()
        with pytest.raises(EngineUnavailable, match="no answer"):
            await engine.queue.enqueue(jobs)
        await engine.connection.close()

        assert asyncio.all_tasks() == before


async def test_closing_ends_what_is_being_handed_over(own_nats: NatsServer) -> None:
    """It counts as not acknowledged, at once."""
    async with asyncio.timeout(60), opened(own_nats.url, timeout_s=600) as engine:
        await engine.queue.enqueue([a_job()])
        own_nats.pause()
        handing_over = asyncio.create_task(engine.queue.enqueue([a_job()]))
        await asyncio.sleep(0)
        await engine.connection.close()

        with pytest.raises(EngineUnavailable, match="connection closed"):
            await handing_over


async def test_a_wrong_password_is_an_outage_that_keeps_the_password() -> None:
    """Whoever reads the log learns that it is wrong, not what it is."""
    with running_nats("authorization { user: relay, password: right }") as server:
        async with opened(f"nats://relay:secret-word@{HOST}:{server.port}") as engine:
            with pytest.raises(EngineUnavailable, match="Authorization Violation") as unavailable:
                await engine.queue.enqueue([a_job()])

    assert "secret-word" not in str(unavailable.value)
    assert "secret-word" not in repr(engine.connection.settings)


async def test_a_missing_permission_is_named() -> None:
    """NATS says so beside the protocol, where the driver only notes it."""
    forbidden = (
        '{ users: [{ user: relay, password: p, permissions: { publish: { deny: "$JS.>" } } }] }'
    )
    with running_nats(f"authorization {forbidden}") as server:
        async with opened(f"nats://relay:p@{HOST}:{server.port}", timeout_s=0.5) as engine:
            with pytest.raises(EngineUnavailable, match=r"permissions violation .*js\.api"):
                await engine.queue.enqueue([a_job()])


async def test_a_server_without_jetstream_is_an_outage() -> None:
    """Its reason says what is missing."""
    with running_nats("jetstream: disabled") as server:
        async with opened(server.url) as engine:
            with pytest.raises(EngineUnavailable, match="no stream AUTOMATION_EXECUTIONS"):
                await engine.queue.enqueue([a_job()])


async def test_problem_says_what_is_wrong(own_nats: NatsServer) -> None:
    """For an operator, and nothing when all is well."""
    async with opened(own_nats.url) as engine:
        assert await engine.queue.problem() is None
        assert await engine.bus.problem() is None

        await asyncio.to_thread(own_nats.kill)
        assert "NATS is unavailable" in (await engine.queue.problem() or "")
        assert "NATS is unavailable" in (await engine.bus.problem() or "")
