"""Streams are created when they are needed; those that exist are used if they are suitable."""

import asyncio
from typing import Any

import nats
import pytest
from nats.aio.msg import Msg
from nats.js.errors import NotFoundError

from automation_retry.application import BrokerUnavailable, ExecutionJob, MessageKind
from automation_retry.application.ports import BrokerBundle
from tests.adapters.nats.nats_streams import (
    EVENTS,
    JOB_CONFIG,
    JOBS,
    bodies,
    create_stream,
    jetstream,
    messages,
    opened,
)
from tests.support.envelopes import json_body, send
from tests.support.factories import a_job, an_event
from tests.support.nats_server import running_nats


async def test_streams_are_created_when_they_are_needed(url: str, broker: BrokerBundle) -> None:
    """Each by itself: jobs and events may go to different brokers."""
    await send(broker, [a_job()])
    async with jetstream(url) as js:
        jobs = (await js.stream_info(JOBS)).config
        with pytest.raises(NotFoundError):
            await js.stream_info(EVENTS)
        await send(broker, [an_event()])
        events = (await js.stream_info(EVENTS)).config

    assert jobs.subjects == ["automation.executions.*"]
    assert (jobs.retention, jobs.storage, jobs.discard) == ("workqueue", "file", "new")
    assert (jobs.max_msgs, jobs.max_bytes, jobs.max_age) == (-1, -1, 0)
    assert (jobs.num_replicas, jobs.duplicate_window) == (1, 120)
    assert events.subjects == ["automation.execution.retried.*"]
    assert (events.retention, events.storage, events.discard) == ("limits", "file", "old")
    assert (events.max_msgs, events.max_bytes, events.max_age) == (-1, -1, 604_800)
    assert (events.num_replicas, events.duplicate_window) == (1, 120)


async def test_prefix_window_age_and_source_are_settings(url: str) -> None:
    """A second service on the same NATS has streams of its own."""
    async with (
        opened(
            url,
            subject_prefix="acme.retries",
            duplicate_window_s=300,
            event_max_age_s=0,
            event_source="urn:acme",
        ) as broker,
        jetstream(url) as js,
    ):
        await send(broker, [a_job()])
        await send(broker, [an_event()])
        jobs = (await js.stream_info("ACME_RETRIES_EXECUTIONS")).config
        events = (await js.stream_info("ACME_RETRIES_EVENTS")).config

    assert jobs.subjects == ["acme.retries.executions.*"]
    assert events.subjects == ["acme.retries.execution.retried.*"]
    assert (jobs.duplicate_window, events.duplicate_window) == (300, 300)
    assert events.max_age == 0
    [event] = await bodies(url, "ACME_RETRIES_EVENTS")
    assert event["source"] == "urn:acme"


async def test_concurrent_creations_of_a_stream_share_it(url: str) -> None:
    """As several relays do when they start together."""
    jobs = [a_job() for _ in range(6)]

    async def enqueue(job: ExecutionJob) -> None:
        async with opened(url) as broker:
            await send(broker, [job])

    await asyncio.gather(*[enqueue(job) for job in jobs])

    assert {body["id"] for body in await bodies(url, JOBS)} == {str(job.id) for job in jobs}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"retention": "limits"}, "retention is limits, not workqueue"),
        ({"retention": "interest"}, "retention is interest, not workqueue"),
        ({"storage": "memory"}, "storage is memory, not file"),
        ({"subjects": ["automation.executions.a"]}, "do not include automation.executions.*"),
        ({"subjects": ["automation"]}, "do not include automation.executions.*"),
        ({"duplicate_window": 30}, "duplicate_window is 30 s, less than 120 s"),
        ({"no_ack": True}, "no_ack"),
        ({"max_age": 600}, "max_age"),
        ({"max_msgs": 10}, "discard old"),
    ],
    ids=str,
)
async def test_an_unsuitable_stream_gets_nothing(
    url: str, broker: BrokerBundle, changes: dict[str, Any], problem: str
) -> None:
    """The reason names the stream and what is wrong."""
    await create_stream(url, **changes)
    with pytest.raises(BrokerUnavailable) as unavailable:
        await send(broker, [a_job()])
    assert unavailable.value.reason.startswith(f"stream {JOBS} is not suitable: ")
    assert problem in unavailable.value.reason
    problems = await broker.readiness.problems()
    assert problems == [f"NATS is unavailable: {unavailable.value.reason}."]

    async with jetstream(url) as js:
        assert (await js.stream_info(JOBS)).state.messages == 0


async def test_a_stream_that_was_corrected_gets_messages(url: str, broker: BrokerBundle) -> None:
    """Without a restart of this service."""
    job = a_job()
    await create_stream(url, duplicate_window=30)
    with pytest.raises(BrokerUnavailable):
        await send(broker, [job])
    async with jetstream(url) as js:
        await js.update_stream(JOB_CONFIG, duplicate_window=120)
    await send(broker, [job])

    assert await bodies(url, JOBS) == [json_body(job)]


@pytest.mark.parametrize(
    "changes",
    [
        {"subjects": ["other.>", "automation.executions.>"]},
        {"subjects": ["automation.*.*"]},
        {"duplicate_window": 3600},
        {"max_msgs": 10, "discard": "new"},
        {"max_consumers": 3, "description": "ours"},
    ],
    ids=str,
)
async def test_a_suitable_stream_is_left_as_it_is(
    url: str, broker: BrokerBundle, changes: dict[str, Any]
) -> None:
    """An operator may want more than this service asks for."""
    await create_stream(url, **changes)
    async with jetstream(url) as js:
        before = (await js.stream_info(JOBS)).config
        await send(broker, [a_job()])
        after = (await js.stream_info(JOBS)).config

    assert after == before
    assert len(await messages(url, JOBS)) == 1


async def test_another_stream_on_the_subjects_is_named(url: str, broker: BrokerBundle) -> None:
    """A subject belongs to one stream, so this service's own cannot be made."""
    await create_stream(url, name="SOMEBODY")

    with pytest.raises(BrokerUnavailable, match=f"no stream {JOBS}: subjects overlap"):
        await send(broker, [a_job()])


async def test_replicas_need_a_cluster(url: str) -> None:
    """A single server does not claim to keep three copies."""
    async with opened(url, replicas=3) as broker:
        with pytest.raises(BrokerUnavailable, match="replicas > 1 not supported"):
            await send(broker, [a_job()])
    await create_stream(url)
    async with opened(url, replicas=3) as broker:
        with pytest.raises(BrokerUnavailable, match="num_replicas is 1, less than 3"):
            await send(broker, [a_job()])


async def send_until_acknowledged(broker: BrokerBundle, job: ExecutionJob) -> None:
    """As the relay does."""
    async with asyncio.timeout(30):
        while True:
            try:
                return await send(broker, [job])
            except BrokerUnavailable:
                await asyncio.sleep(0.05)


async def test_a_stream_that_was_deleted_is_created_again(url: str, broker: BrokerBundle) -> None:
    """What was sent meanwhile counts as not acknowledged, and is sent again."""
    job = a_job()
    await send(broker, [a_job()])
    async with jetstream(url) as js:
        await js.delete_stream(JOBS)
    with pytest.raises(BrokerUnavailable, match="no stream has this subject"):
        await send(broker, [job])
    await send_until_acknowledged(broker, job)

    assert [body["id"] for body in await bodies(url, JOBS)].count(str(job.id)) == 1


async def test_a_stream_that_moved_to_other_subjects_is_noticed(
    url: str, broker: BrokerBundle
) -> None:
    """An acknowledgement by another stream does not count."""
    await send(broker, [a_job()])
    async with jetstream(url) as js:
        await js.update_stream(
            JOB_CONFIG, subjects=["moved.*"], discard="new", duplicate_window=120
        )
        await js.add_stream(name="SOMEBODY", subjects=["automation.executions.*"])
        with pytest.raises(BrokerUnavailable):
            await send(broker, [a_job()])
        with pytest.raises(BrokerUnavailable, match="do not include"):
            await send(broker, [a_job()])

        assert (await js.stream_info("SOMEBODY")).state.messages == 0


async def test_a_reply_that_is_not_from_jetstream_is_no_acknowledgement() -> None:
    """Any subscriber may reply, and not only in JSON."""

    async def reply(message: Msg) -> None:
        await message.respond(b"thank you")

    with running_nats("jetstream: disabled") as server:
        async with await nats.connect(server.url) as subscriber, opened(server.url) as broker:
            await subscriber.subscribe("$JS.API.>", cb=reply)
            await subscriber.flush()

            with pytest.raises(BrokerUnavailable, match="not from JetStream"):
                await send(broker, [a_job()])


async def test_a_full_stream_is_an_outage(url: str, broker: BrokerBundle) -> None:
    """What did not fit is stored when there is room, and nothing is stored twice."""
    await create_stream(url, max_msgs=2, discard="new")
    jobs = [a_job() for _ in range(3)]
    with pytest.raises(BrokerUnavailable, match="maximum messages exceeded"):
        await send(broker, jobs)
    assert await bodies(url, JOBS) == [json_body(job) for job in jobs[:2]]
    await send(broker, jobs)

    assert await bodies(url, JOBS) == [json_body(jobs[2])]


@pytest.mark.parametrize("kind", MessageKind)
async def test_asking_for_problems_creates_only_the_streams_that_are_used(
    url: str, kind: MessageKind
) -> None:
    """Consumers find them before the first message."""
    used, unused = (JOBS, EVENTS) if kind is MessageKind.JOB else (EVENTS, JOBS)
    async with opened(url, kinds=frozenset([kind])) as broker, jetstream(url) as js:
        assert await broker.readiness.problems() == []

        assert (await js.stream_info(used)).config.name == used
        with pytest.raises(NotFoundError):
            await js.stream_info(unused)
