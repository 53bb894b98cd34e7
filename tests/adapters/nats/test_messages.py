"""Consumers of JetStream receive what was sent: once, in order."""

from uuid import UUID

import orjson
import pytest
from attrs import evolve

from automation_retry.adapters.memory import MemoryStore
from automation_retry.adapters.memory.outbox import MemoryOutbox
from automation_retry.adapters.nats.cloud_event import cloud_event
from automation_retry.application import (
    BrokerUnavailable,
    MessageKind,
    MessageRefused,
    Relayed,
    RelayOutbox,
)
from automation_retry.application.ports import BrokerBundle
from automation_retry.entrypoints.clock import utc_now
from tests.adapters.nats.nats_streams import (
    EVENTS,
    JOBS,
    bodies,
    create_stream,
    messages,
    opened,
)
from tests.support.envelopes import envelope, envelopes, json_body, send
from tests.support.factories import NOON, a_failed_execution, a_job, a_retry_write, an_event
from tests.support.memory import commit
from tests.support.messages import Sent
from tests.support.nats_server import running_nats


async def test_the_channels_name_the_subjects(url: str, broker: BrokerBundle) -> None:
    """What the documentation says is where messages arrive, and what they are."""
    job, event = a_job(), an_event()
    await send(broker, [job])
    await send(broker, [event])

    received = {
        MessageKind.JOB: (await messages(url, JOBS), job.retried.tenant),
        MessageKind.EVENT: (await messages(url, EVENTS), event.retried.tenant),
    }
    for kind, ([message], tenant) in received.items():
        channel = broker.channels[kind]
        assert message.subject == channel.address.format(tenant=tenant)
        assert (message.headers or {})["Content-Type"] == channel.content_type


async def test_a_job_is_flat_json(url: str, broker: BrokerBundle) -> None:
    """On its tenant's subject, with its id where JetStream looks for it."""
    job = a_job(request_id="Zürich")
    await send(broker, [job])

    [message] = await messages(url, "AUTOMATION_EXECUTIONS")
    assert message.subject == f"automation.executions.{job.retried.tenant}"
    assert orjson.loads(message.data) == json_body(job)
    assert (message.headers or {})["Nats-Msg-Id"] == str(job.id)
    assert (message.headers or {})["Content-Type"] == "application/json"


async def test_an_event_is_a_cloud_event(url: str, broker: BrokerBundle) -> None:
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
    await send(broker, [event])

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
            "reason": "SMTP is back",
        },
    }


async def test_jobs_and_events_keep_their_order(url: str, broker: BrokerBundle) -> None:
    """More than may be in flight, and two attempts of one execution among them."""
    jobs = [a_job() for _ in range(300)]
    jobs.insert(10, a_job(execution_id=jobs[0].retried.execution_id, attempt=2))
    events = [an_event() for _ in range(300)]
    await send(broker, jobs)
    await send(broker, events)

    assert await bodies(url, JOBS) == [json_body(job) for job in jobs]
    assert await bodies(url, EVENTS) == [
        cloud_event(event, "automation-retry") for event in envelopes(events)
    ]


async def test_what_is_sent_again_is_not_stored_twice(url: str, broker: BrokerBundle) -> None:
    """Only the message that was not there before is stored."""
    first, second, third = a_job(), a_job(), a_job()
    await send(broker, [first, third])
    await send(broker, [first, second, third, third])

    assert await bodies(url, JOBS) == [json_body(job) for job in (first, third, second)]


async def test_a_job_that_was_done_does_not_come_back(url: str, broker: BrokerBundle) -> None:
    """The stream remembers its id although the job was removed."""
    job = a_job()
    await send(broker, [job])
    await messages(url, JOBS)
    await send(broker, [job])

    assert await messages(url, JOBS) == []


async def test_no_attempt_overtakes_an_earlier_one_that_was_not_stored(
    url: str, broker: BrokerBundle
) -> None:
    """There is room for the second attempt and not for the first: then neither is stored."""
    await create_stream(url, max_bytes=1500, discard="new")
    first = a_job(attempt=1, request_id="x" * 2000)
    second = a_job(attempt=2, execution_id=first.retried.execution_id)
    with pytest.raises(BrokerUnavailable, match="maximum bytes exceeded"):
        await send(broker, [first, second])

    assert await messages(url, JOBS) == []


@pytest.mark.parametrize("kind", MessageKind)
async def test_a_message_that_is_too_large_for_the_server_blocks_no_other(
    kind: MessageKind,
) -> None:
    """It becomes a dead letter; the others are delivered."""
    store = MemoryStore()
    for request_id in ("before", "x" * 2000, "after"):
        write = a_retry_write(a_failed_execution(), request_id=request_id)
        store.overwrite(write.failed)
        commit(store, write)
    with running_nats("max_payload: 2000") as server:
        async with opened(server.url) as broker:
            relay = RelayOutbox(MemoryOutbox(store, utc_now), {kind: broker.broker})

            assert await relay(kind, 10) == Relayed(delivered=2, refused=1)
        if kind is MessageKind.JOB:
            jobs = await bodies(server.url, JOBS)
            assert [job["request_id"] for job in jobs] == ["before", "after"]
        else:
            events = await bodies(server.url, EVENTS)
            assert [event["data"]["requestId"] for event in events] == ["before", "after"]


async def test_the_server_accepts_what_is_not_refused() -> None:
    """The headers count."""
    with running_nats("max_payload: 2000") as server:
        async with opened(server.url) as broker:
            await send(broker, [a_job()])
            [message] = await messages(server.url, JOBS)
            fixed = "".join(f"{k}: {v}\r\n" for k, v in (message.headers or {}).items())
            room = 2000 - len(f"NATS/1.0\r\n{fixed}\r\n") - len(message.data) + len("req-1")
            largest, too_large = a_job(request_id="x" * room), a_job(request_id="x" * (room + 1))
            await send(broker, [largest])
            with pytest.raises(MessageRefused, match="2001 bytes") as refusal:
                await send(broker, [too_large])

        assert refusal.value.message_id == too_large.id
        assert await bodies(server.url, JOBS) == [json_body(largest)]


async def test_what_is_too_large_for_the_stream_is_refused(url: str, broker: BrokerBundle) -> None:
    """The others of its batch are stored already, and only once."""
    await create_stream(url, max_msg_size=1000)
    before, large, after = a_job(), a_job(request_id="x" * 1000), a_job()
    with pytest.raises(MessageRefused, match="exceeds maximum") as refusal:
        await send(broker, [before, large, after])
    assert refusal.value.message_id == large.id
    await send(broker, [before, after])

    assert await bodies(url, JOBS) == [json_body(before), json_body(after)]


@pytest.mark.parametrize("sent", [a_job(), an_event()], ids=["job", "event"])
async def test_text_that_json_cannot_carry_is_refused(broker: BrokerBundle, sent: Sent) -> None:
    """Half a surrogate pair cannot be encoded in UTF-8."""
    message = evolve(envelope(sent), body='{"request_id": "\ud800"}')

    with pytest.raises(MessageRefused, match="not JSON") as refusal:
        await broker.broker.send([message])
    assert refusal.value.message_id == message.id


@pytest.mark.parametrize(
    ("body", "reason"),
    [("{}", "lacks 'id'"), ("[]", "not a JSON object"), ("{", "not JSON")],
)
async def test_an_event_that_is_no_cloud_event_is_refused(
    broker: BrokerBundle, body: str, reason: str
) -> None:
    """As when another program wrote it into the outbox."""
    event = evolve(envelope(an_event()), body=body)

    with pytest.raises(MessageRefused, match=reason) as refusal:
        await broker.broker.send([event])
    assert refusal.value.message_id == event.id
