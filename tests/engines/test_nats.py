"""What consumers of JetStream get is what was handed over: once, in order, from fit streams."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import nats
import orjson
import pytest
from nats.aio.msg import Msg
from nats.js.api import RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import NotFoundError

from automation_retry.adapters.json_codec import message_body
from automation_retry.adapters.memory import MemoryOutbox, MemoryStore
from automation_retry.adapters.nats import NatsSettings
from automation_retry.adapters.nats.cloud_event import cloud_event
from automation_retry.application import (
    EngineUnavailable,
    ExecutionJob,
    MessageKind,
    MessageRefused,
    Relayed,
    RelayOutbox,
)
from tests.engines.nats_engine import EVENTS, JOBS, NatsEngine, bodies, jetstream, messages, opened
from tests.factories import NOON, a_failed_execution, a_job, a_retry_write, an_event
from tests.servers.nats_server import NatsServer, running_nats

JOB_CONFIG = StreamConfig(
    name=JOBS,
    subjects=["automation.executions.*"],
    retention=RetentionPolicy.WORK_QUEUE,
    storage=StorageType.FILE,
)


@pytest.fixture
def url(own_nats: NatsServer) -> str:
    """Of a NATS that never had streams: one that is deleted and made again may still have messages.

    (nats-server 2.15 removes its files in the background, and finds some of them again.)
    """
    return own_nats.url


@pytest.fixture
async def engine(url: str) -> AsyncIterator[NatsEngine]:
    async with opened(url) as engine:
        yield engine


async def make_stream(url: str, **changes: Any) -> None:
    """The stream of jobs, made by somebody else and not quite as this service makes it."""
    async with jetstream(url) as js:
        await js.add_stream(JOB_CONFIG, **changes)


async def enqueue_in_the_end(engine: NatsEngine, job: ExecutionJob) -> None:
    """As the relay does: again and again until it is acknowledged."""
    async with asyncio.timeout(30):
        while True:
            try:
                return await engine.queue.enqueue([job])
            except EngineUnavailable:
                await asyncio.sleep(0.05)


async def test_a_job_is_flat_json(url: str, engine: NatsEngine) -> None:
    """On its tenant's subject, with its id where JetStream looks for it."""
    job = a_job(request_id="Zürich")
    await engine.queue.enqueue([job])

    [message] = await messages(url, "AUTOMATION_EXECUTIONS")
    assert message.subject == f"automation.executions.{job.tenant}"
    assert orjson.loads(message.data) == message_body(job)
    assert (message.headers or {})["Nats-Msg-Id"] == str(job.id)
    assert (message.headers or {})["Content-Type"] == "application/json"


async def test_an_event_is_a_cloud_event(url: str, engine: NatsEngine) -> None:
    """CloudEvents 1.0 in structured mode; its data is the payload of AlgaPSA's event bus."""
    event = an_event(
        tenant=UUID("11111111-1111-4111-8111-111111111111"),
        execution_id=UUID("22222222-2222-4222-8222-222222222222"),
        automation_rule_id=UUID("33333333-3333-4333-8333-333333333333"),
        retried_by=UUID("44444444-4444-4444-8444-444444444444"),
        api_key_id=None,
        retried_at=NOON,
        attempt=2,
    )
    await engine.bus.publish([event])

    [message] = await messages(url, "AUTOMATION_EVENTS")
    assert message.subject == ("automation.execution.retried.11111111-1111-4111-8111-111111111111")
    assert (message.headers or {})["Nats-Msg-Id"] == str(event.id)
    assert (message.headers or {})["Content-Type"] == "application/cloudevents+json"
    assert orjson.loads(message.data) == {
        "specversion": "1.0",
        "id": str(event.id),
        "source": "automation-retry",
        "type": "automation.execution.retried",
        "subject": "22222222-2222-4222-8222-222222222222",
        "time": "2026-11-23T12:00:00.123456Z",
        "datacontenttype": "application/json",
        "data": {
            "executionId": "22222222-2222-4222-8222-222222222222",
            "tenantId": "11111111-1111-4111-8111-111111111111",
            "userId": "44444444-4444-4444-8444-444444444444",
            "automationRuleId": "33333333-3333-4333-8333-333333333333",
            "attempt": 2,
            "apiKeyId": None,
            "requestId": "req-1",
        },
    }


async def test_jobs_and_events_keep_their_order(url: str, engine: NatsEngine) -> None:
    """More than are sent at a time, and two attempts of one execution among them."""
    jobs = [a_job() for _ in range(300)]
    jobs.insert(10, a_job(execution_id=jobs[0].execution_id, attempt=2))
    events = [an_event() for _ in range(300)]
    await engine.queue.enqueue(jobs)
    await engine.bus.publish(events)

    assert await bodies(url, JOBS) == [message_body(job) for job in jobs]
    assert await bodies(url, EVENTS) == [cloud_event(event, "automation-retry") for event in events]


async def test_what_is_handed_over_again_is_not_kept_twice(url: str, engine: NatsEngine) -> None:
    """Only the message that was not there before is kept."""
    first, second, third = a_job(), a_job(), a_job()
    await engine.queue.enqueue([first, third])
    await engine.queue.enqueue([first, second, third, third])

    assert await bodies(url, JOBS) == [message_body(job) for job in (first, third, second)]


async def test_a_job_that_was_done_does_not_come_back(url: str, engine: NatsEngine) -> None:
    """The stream remembers its id although it has let go of it."""
    job = a_job()
    await engine.queue.enqueue([job])
    await messages(url, JOBS)
    await engine.queue.enqueue([job])

    assert await messages(url, JOBS) == []


async def test_streams_are_made_when_they_are_needed(url: str, engine: NatsEngine) -> None:
    """Each by itself, since queue and bus are chosen apart."""
    await engine.queue.enqueue([a_job()])
    async with jetstream(url) as js:
        jobs = (await js.stream_info(JOBS)).config
        with pytest.raises(NotFoundError):
            await js.stream_info(EVENTS)
        await engine.bus.publish([an_event()])
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
        ) as engine,
        jetstream(url) as js,
    ):
        await engine.queue.enqueue([a_job()])
        await engine.bus.publish([an_event()])
        jobs = (await js.stream_info("ACME_RETRIES_EXECUTIONS")).config
        events = (await js.stream_info("ACME_RETRIES_EVENTS")).config

    assert jobs.subjects == ["acme.retries.executions.*"]
    assert events.subjects == ["acme.retries.execution.retried.*"]
    assert (jobs.duplicate_window, events.duplicate_window) == (300, 300)
    assert events.max_age == 0
    [event] = await bodies(url, "ACME_RETRIES_EVENTS")
    assert event["source"] == "urn:acme"


@pytest.mark.parametrize(
    "changes",
    [
        {"subject_prefix": "automation.*"},
        {"subject_prefix": "automation."},
        {"subject_prefix": ""},
        {"replicas": 0},
        {"duplicate_window_s": 0},
        {"event_max_age_s": 60},
        {"servers": ""},
    ],
    ids=str,
)
def test_settings_that_cannot_be_are_refused(changes: dict[str, Any]) -> None:
    """When they are made, not when the first message is handed over."""
    with pytest.raises(ValueError, match=next(iter(changes))):
        NatsSettings(**{"servers": "nats://127.0.0.1", **changes})


async def test_two_that_make_a_stream_at_once_share_it(url: str) -> None:
    """As several relays do when they start together."""
    jobs = [a_job() for _ in range(6)]

    async def enqueue(job: ExecutionJob) -> None:
        async with opened(url) as engine:
            await engine.queue.enqueue([job])

    await asyncio.gather(*[enqueue(job) for job in jobs])

    assert {body["id"] for body in await bodies(url, JOBS)} == {str(job.id) for job in jobs}


@pytest.mark.parametrize(
    ("changes", "fault"),
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
async def test_an_unfit_stream_gets_nothing(
    url: str, engine: NatsEngine, changes: dict[str, Any], fault: str
) -> None:
    """The reason names the stream and what is wrong."""
    await make_stream(url, **changes)
    with pytest.raises(EngineUnavailable) as unavailable:
        await engine.queue.enqueue([a_job()])
    assert unavailable.value.reason.startswith(f"stream {JOBS} will not do: ")
    assert fault in unavailable.value.reason
    assert await engine.queue.problem() == f"NATS is unavailable: {unavailable.value.reason}."

    async with jetstream(url) as js:
        assert (await js.stream_info(JOBS)).state.messages == 0


async def test_a_stream_that_was_put_right_gets_messages(url: str, engine: NatsEngine) -> None:
    """Without a restart of this service."""
    job = a_job()
    await make_stream(url, duplicate_window=30)
    with pytest.raises(EngineUnavailable):
        await engine.queue.enqueue([job])
    async with jetstream(url) as js:
        await js.update_stream(JOB_CONFIG, duplicate_window=120)
    await engine.queue.enqueue([job])

    assert await bodies(url, JOBS) == [message_body(job)]


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
async def test_a_fit_stream_stays_as_it_is(
    url: str, engine: NatsEngine, changes: dict[str, Any]
) -> None:
    """An operator may have wanted more than this service asks for."""
    await make_stream(url, **changes)
    async with jetstream(url) as js:
        before = (await js.stream_info(JOBS)).config
        await engine.queue.enqueue([a_job()])
        after = (await js.stream_info(JOBS)).config

    assert after == before
    assert len(await messages(url, JOBS)) == 1


async def test_another_stream_on_the_subjects_is_named(url: str, engine: NatsEngine) -> None:
    """A subject belongs to one stream, so this service's own cannot be made."""
    await make_stream(url, name="SOMEBODY")

    with pytest.raises(EngineUnavailable, match=f"no stream {JOBS}: subjects overlap"):
        await engine.queue.enqueue([a_job()])


async def test_replicas_need_a_cluster(url: str) -> None:
    """One server alone does not pretend to keep three copies."""
    async with opened(url, replicas=3) as engine:
        with pytest.raises(EngineUnavailable, match="replicas > 1 not supported"):
            await engine.queue.enqueue([a_job()])
    await make_stream(url)
    async with opened(url, replicas=3) as engine:
        with pytest.raises(EngineUnavailable, match="num_replicas is 1, less than 3"):
            await engine.queue.enqueue([a_job()])


async def test_a_stream_that_was_deleted_is_made_again(url: str, engine: NatsEngine) -> None:
    """What was handed over meanwhile counts as not acknowledged, and comes again."""
    job = a_job()
    await engine.queue.enqueue([a_job()])
    async with jetstream(url) as js:
        await js.delete_stream(JOBS)
    with pytest.raises(EngineUnavailable, match="no stream takes its subject"):
        await engine.queue.enqueue([job])
    await enqueue_in_the_end(engine, job)

    assert [body["id"] for body in await bodies(url, JOBS)].count(str(job.id)) == 1


async def test_a_stream_that_moved_to_other_subjects_is_noticed(
    url: str, engine: NatsEngine
) -> None:
    """An acknowledgement by another stream is none."""
    await engine.queue.enqueue([a_job()])
    async with jetstream(url) as js:
        await js.update_stream(
            JOB_CONFIG, subjects=["moved.*"], discard="new", duplicate_window=120
        )
        await js.add_stream(name="SOMEBODY", subjects=["automation.executions.*"])
        with pytest.raises(EngineUnavailable):
            await engine.queue.enqueue([a_job()])
        with pytest.raises(EngineUnavailable, match="do not include"):
            await engine.queue.enqueue([a_job()])

        assert (await js.stream_info("SOMEBODY")).state.messages == 0


async def test_the_answer_of_somebody_else_is_no_acknowledgement() -> None:
    """Whoever listens may answer, and not only in JSON."""

    async def answer(message: Msg) -> None:
        await message.respond(b"thank you")

    with running_nats("jetstream: disabled") as server:
        async with await nats.connect(server.url) as somebody, opened(server.url) as engine:
            await somebody.subscribe("$JS.API.>", cb=answer)
            await somebody.flush()

            with pytest.raises(EngineUnavailable, match="somebody else than JetStream"):
                await engine.queue.enqueue([a_job()])


async def test_a_full_stream_is_an_outage(url: str, engine: NatsEngine) -> None:
    """What did not fit goes in when there is room, and nothing is there twice."""
    await make_stream(url, max_msgs=2, discard="new")
    jobs = [a_job() for _ in range(3)]
    with pytest.raises(EngineUnavailable, match="maximum messages exceeded"):
        await engine.queue.enqueue(jobs)
    assert await bodies(url, JOBS) == [message_body(job) for job in jobs[:2]]
    await engine.queue.enqueue(jobs)

    assert await bodies(url, JOBS) == [message_body(jobs[2])]


async def test_no_attempt_overtakes_an_earlier_one_that_was_not_taken(
    url: str, engine: NatsEngine
) -> None:
    """There is room for the second attempt and not for the first: then neither is there."""
    await make_stream(url, max_bytes=1500, discard="new")
    first = a_job(attempt=1, request_id="x" * 2000)
    second = a_job(attempt=2, execution_id=first.execution_id)
    with pytest.raises(EngineUnavailable, match="maximum bytes exceeded"):
        await engine.queue.enqueue([first, second])

    assert await messages(url, JOBS) == []


@pytest.mark.parametrize("kind", MessageKind)
async def test_what_is_too_large_for_the_server_blocks_nothing(kind: MessageKind) -> None:
    """It becomes a dead letter; the others go through."""
    store = MemoryStore()
    for request_id in ("before", "x" * 2000, "after"):
        write = a_retry_write(a_failed_execution(), request_id=request_id)
        store.overwrite(write.failed)
        store.commit([write.retry], [write.job, write.event])
    with running_nats("max_payload: 2000") as server:
        async with opened(server.url) as engine:
            relay = RelayOutbox(MemoryOutbox(store), engine.queue, engine.bus)

            assert await relay(kind, 10) == Relayed(delivered=2, refused=1)
        if kind is MessageKind.JOB:
            jobs = await bodies(server.url, JOBS)
            assert [job["request_id"] for job in jobs] == ["before", "after"]
        else:
            events = await bodies(server.url, EVENTS)
            assert [event["data"]["requestId"] for event in events] == ["before", "after"]


async def test_the_server_takes_what_is_not_refused() -> None:
    """The headers count."""
    with running_nats("max_payload: 2000") as server:
        async with opened(server.url) as engine:
            await engine.queue.enqueue([a_job()])
            [message] = await messages(server.url, JOBS)
            fixed = "".join(f"{k}: {v}\r\n" for k, v in (message.headers or {}).items())
            room = 2000 - len(f"NATS/1.0\r\n{fixed}\r\n") - len(message.data) + len("req-1")
            largest, too_large = a_job(request_id="x" * room), a_job(request_id="x" * (room + 1))
            await engine.queue.enqueue([largest])
            with pytest.raises(MessageRefused, match="2001 bytes") as refusal:
                await engine.queue.enqueue([too_large])

        assert refusal.value.message_id == too_large.id
        assert await bodies(server.url, JOBS) == [message_body(largest)]


async def test_what_is_too_large_for_the_stream_is_refused(url: str, engine: NatsEngine) -> None:
    """The others of its batch are there already, and stay there once."""
    await make_stream(url, max_msg_size=1000)
    before, large, after = a_job(), a_job(request_id="x" * 1000), a_job()
    with pytest.raises(MessageRefused, match="exceeds maximum") as refusal:
        await engine.queue.enqueue([before, large, after])
    assert refusal.value.message_id == large.id
    await engine.queue.enqueue([before, after])

    assert await bodies(url, JOBS) == [message_body(before), message_body(after)]


async def test_text_that_json_cannot_carry_is_refused(engine: NatsEngine) -> None:
    """Half a surrogate pair is no text in UTF-8."""
    job = a_job(request_id="\ud800")

    with pytest.raises(MessageRefused, match="not JSON") as refusal:
        await engine.queue.enqueue([job])
    assert refusal.value.message_id == job.id
