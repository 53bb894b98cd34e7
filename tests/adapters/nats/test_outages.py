"""A NATS that is down or hangs delays messages, and neither loses nor duplicates them."""

import asyncio

import pytest

from automation_retry.adapters.nats.broker import nats_broker
from automation_retry.adapters.nats.settings import NatsSettings
from automation_retry.application import BrokerUnavailable
from tests.adapters.nats.nats_streams import EVENTS, JOBS, bodies, messages, opened
from tests.support.envelopes import json_body, send
from tests.support.factories import a_job, an_event
from tests.support.lossy_proxy import lossy_proxy
from tests.support.nats_server import NatsServer, running_nats
from tests.support.server_process import HOST


async def test_continues_after_a_restart(own_nats: NatsServer) -> None:
    """The same objects send again, and NATS still knows which messages it has."""
    first, second = a_job(), a_job()
    async with opened(own_nats.url) as broker:
        await send(broker, [first])
        await asyncio.to_thread(own_nats.kill)
        with pytest.raises(BrokerUnavailable):
            await send(broker, [second])
        await asyncio.to_thread(own_nats.start)
        await send(broker, [first, second])

    assert await bodies(own_nats.url, JOBS) == [json_body(first), json_body(second)]


async def test_a_restart_between_two_messages_goes_unnoticed(own_nats: NatsServer) -> None:
    """A connection that broke while it was idle is replaced before it is used."""
    first, second = a_job(), a_job()
    async with opened(own_nats.url) as broker:
        await send(broker, [first])
        await asyncio.to_thread(own_nats.stop)
        await asyncio.to_thread(own_nats.start)
        await send(broker, [second])

    assert await bodies(own_nats.url, JOBS) == [json_body(first), json_body(second)]


async def test_may_be_opened_before_nats_is_there(own_nats: NatsServer) -> None:
    """It is connected to when it is needed."""
    await asyncio.to_thread(own_nats.stop)
    async with opened(own_nats.url) as broker:
        with pytest.raises(BrokerUnavailable, match="ConnectionRefused"):
            await send(broker, [a_job()])
        await asyncio.to_thread(own_nats.start)
        await send(broker, [a_job()])

    assert len(await messages(own_nats.url, JOBS)) == 1


async def test_the_next_server_is_tried(own_nats: NatsServer) -> None:
    """Some of a cluster's servers may be down."""
    down = [f"nats://{HOST}:{port}" for port in (1, 2, 3)]
    async with opened(*down, own_nats.url) as broker:
        await send(broker, [a_job()])

    assert len(await messages(own_nats.url, JOBS)) == 1


async def test_a_closed_connection_sends_nothing(own_nats: NatsServer) -> None:
    """Before it is opened, and after it was closed; it may be opened again."""
    broker = nats_broker(NatsSettings(servers=(own_nats.url,)))
    with pytest.raises(BrokerUnavailable, match="closed"):
        await send(broker, [a_job()])
    for _ in range(2):
        await broker.lifecycle.open()
        await send(broker, [a_job()])
        await broker.lifecycle.close()
        with pytest.raises(BrokerUnavailable, match="closed"):
            await send(broker, [a_job()])

    assert len(await messages(own_nats.url, JOBS)) == 2


async def test_a_lost_acknowledgement_stores_nothing_twice(own_nats: NatsServer) -> None:
    """NATS stored the job, its acknowledgement was lost, and the job is sent again."""
    first, second = a_job(), a_job()
    async with (
        lossy_proxy(own_nats.port) as proxy,
        opened(f"nats://{HOST}:{proxy.port}") as broker,
    ):
        await send(broker, [first])
        proxy.lose_reply(b'"seq":2')
        with pytest.raises(BrokerUnavailable, match="connection closed"):
            await send(broker, [second])
        assert proxy.lost
        await send(broker, [second])

    assert await bodies(own_nats.url, JOBS) == [json_body(first), json_body(second)]


async def test_a_nats_that_hangs_counts_as_unavailable(own_nats: NatsServer) -> None:
    """What it stores after it recovered is not stored twice."""
    event = an_event()
    async with opened(own_nats.url, timeout_s=0.2) as broker:
        await send(broker, [an_event()])
        own_nats.pause()
        with pytest.raises(BrokerUnavailable, match=r"no answer in 0\.2 s"):
            await send(broker, [event])  # on the connection that it has
        with pytest.raises(BrokerUnavailable):
            await send(broker, [event])  # on a new one
        own_nats.resume()
    async with opened(own_nats.url) as broker:
        await send(broker, [event])

    assert len(await messages(own_nats.url, EVENTS)) == 2


async def test_no_ghost_messages(own_nats: NatsServer) -> None:
    """A message whose send failed while NATS was down is not sent later by the driver."""
    delivered = a_job()
    async with opened(own_nats.url, timeout_s=0.2) as broker:
        await send(broker, [a_job()])
        own_nats.pause()
        with pytest.raises(BrokerUnavailable):
            await send(broker, [a_job() for _ in range(10)])
        await asyncio.to_thread(own_nats.kill)
        for _ in range(3):
            with pytest.raises(BrokerUnavailable):
                await send(broker, [a_job()])
        await asyncio.to_thread(own_nats.start)
        await messages(own_nats.url, JOBS)
        await send(broker, [delivered])

        assert await bodies(own_nats.url, JOBS) == [json_body(delivered)]


async def test_closing_does_not_wait_for_a_nats_that_stops_reading(own_nats: NatsServer) -> None:
    """Not even with more unsent data than the socket buffers hold; no task is left to send it."""
    jobs = [a_job(request_id="x" * 500_000) for _ in range(40)]
    before = asyncio.all_tasks()
    async with asyncio.timeout(60), opened(own_nats.url, timeout_s=0.5) as broker:
        await send(broker, [a_job()])
        own_nats.pause()
        with pytest.raises(BrokerUnavailable, match="no answer"):
            await send(broker, jobs)
        await broker.lifecycle.close()

        assert asyncio.all_tasks() == before


async def test_closing_ends_a_send_in_progress(own_nats: NatsServer) -> None:
    """It counts as not acknowledged, at once."""
    async with asyncio.timeout(60), opened(own_nats.url, timeout_s=600) as broker:
        await send(broker, [a_job()])
        own_nats.pause()
        sending = asyncio.create_task(send(broker, [a_job()]))
        await asyncio.sleep(0)
        await broker.lifecycle.close()

        with pytest.raises(BrokerUnavailable, match="connection closed"):
            await sending


async def test_a_wrong_password_is_an_outage_that_does_not_reveal_it() -> None:
    """The log says that it is wrong, not what it is."""
    with running_nats("authorization { user: relay, password: right }") as server:
        url = f"nats://relay:secret-word@{HOST}:{server.port}"
        async with opened(url) as broker:
            with pytest.raises(BrokerUnavailable, match="Authorization Violation") as unavailable:
                await send(broker, [a_job()])

    assert "secret-word" not in str(unavailable.value)
    assert "secret-word" not in repr(NatsSettings(servers=(url,)))


async def test_a_missing_permission_is_named() -> None:
    """NATS reports it outside the reply, where the driver only passes it to a callback."""
    forbidden = (
        '{ users: [{ user: relay, password: p, permissions: { publish: { deny: "$JS.>" } } }] }'
    )
    with running_nats(f"authorization {forbidden}") as server:
        async with opened(f"nats://relay:p@{HOST}:{server.port}", timeout_s=0.5) as broker:
            with pytest.raises(BrokerUnavailable, match=r"permissions violation .*js\.api"):
                await send(broker, [a_job()])


async def test_a_server_without_jetstream_is_an_outage() -> None:
    """Its reason says what is missing."""
    with running_nats("jetstream: disabled") as server:
        async with opened(server.url) as broker:
            with pytest.raises(BrokerUnavailable, match="no stream AUTOMATION_EXECUTIONS"):
                await send(broker, [a_job()])


async def test_problems_say_what_is_wrong(own_nats: NatsServer) -> None:
    """For an operator, and nothing when all is well; a server that is down is one problem."""
    async with opened(own_nats.url) as broker:
        assert await broker.readiness.problems() == []

        own_nats.kill()  # blocks the loop: the client learns of it from the first stream's request
        [problem] = await broker.readiness.problems()
        assert "NATS is unavailable" in problem
