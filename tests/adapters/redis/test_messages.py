"""Consumers of Redis receive what was sent: once, in order, in AlgaPSA's format."""

from collections.abc import AsyncIterator
from uuid import UUID

import orjson
import pytest
from attrs import evolve
from redis.crc import key_slot

from automation_retry.adapters.memory import MemoryStore
from automation_retry.adapters.memory.outbox import MemoryOutbox
from automation_retry.application import MessageKind, MessageRefused, Relayed, RelayOutbox
from automation_retry.application.ports import BrokerBundle
from automation_retry.entrypoints.clock import utc_now
from tests.adapters.redis.redis_streams import EVENTS, JOBS, bodies, client, entries, opened
from tests.support.envelopes import envelope, json_body, send
from tests.support.factories import NOON, a_failed_execution, a_job, a_retry_write, an_event
from tests.support.memory import commit
from tests.support.redis_server import RedisServer, running_redis

TOO_LONG = "x" * 1_048_576


@pytest.fixture
async def url(shared_redis: RedisServer) -> str:
    """Of an empty Redis."""
    async with client(shared_redis.url) as redis:
        await redis.flushall()
    return shared_redis.url


@pytest.fixture
async def broker(url: str) -> AsyncIterator[BrokerBundle]:
    async with opened(url) as broker:
        yield broker


async def test_the_channels_name_the_streams(url: str, broker: BrokerBundle) -> None:
    """What the documentation says is where messages arrive."""
    await send(broker, [a_job()])
    await send(broker, [an_event()])

    addresses = {kind: channel.address for kind, channel in broker.channels.items()}
    assert [list(entry) for entry in await entries(url, addresses[MessageKind.JOB])] == [["job"]]
    assert [list(entry) for entry in await entries(url, addresses[MessageKind.EVENT])] == [
        ["event", "channel"]
    ]


async def test_an_event_is_one_of_algapsa(url: str, broker: BrokerBundle) -> None:
    """Stream, fields, channel and JSON are those that AlgaPSA's own consumers read."""
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

    [entry] = await entries(url, "alga-psa:event-stream:global:automation.execution.retried")
    assert list(entry) == ["event", "channel"]
    assert entry["channel"] == "global"
    assert orjson.loads(entry["event"]) == {
        "id": str(event.id),
        "eventType": "automation.execution.retried",
        "timestamp": "2026-11-23T12:00:00.123456Z",
        "payload": {
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


async def test_a_job_is_the_only_field_of_its_entry(url: str, broker: BrokerBundle) -> None:
    job = a_job(request_id="Zürich")
    await send(broker, [job])

    [entry] = await entries(url, "alga-psa:automation:executions")
    assert list(entry) == ["job"]
    assert orjson.loads(entry["job"]) == json_body(job)


async def test_jobs_and_events_keep_their_order(url: str, broker: BrokerBundle) -> None:
    """Also across several scripts."""
    jobs = [a_job() for _ in range(450)]
    events = [an_event() for _ in range(450)]
    await send(broker, jobs)
    await send(broker, events)

    assert await bodies(url, JOBS, "job") == [json_body(job) for job in jobs]
    assert await bodies(url, EVENTS, "event") == [json_body(event) for event in events]


async def test_what_is_sent_again_is_not_added_again(url: str, broker: BrokerBundle) -> None:
    """Only the message that was not there before is added."""
    first, second, third = a_job(), a_job(), a_job()
    await send(broker, [first, third])
    await send(broker, [first, second, third, third])

    expected = [json_body(job) for job in (first, third, second)]
    assert await bodies(url, JOBS, "job") == expected


async def test_an_event_that_is_trimmed_away_does_not_come_back(url: str) -> None:
    """Its marker outlives its entry."""
    event = an_event()
    async with opened(url) as broker, client(url) as redis:
        await send(broker, [event])
        await redis.xtrim(EVENTS, maxlen=0, approximate=False)
        await send(broker, [event])

    assert await entries(url, EVENTS) == []


async def test_only_events_are_trimmed(url: str) -> None:
    """Jobs are kept until they are done, events as long as AlgaPSA keeps them."""
    async with opened(url, stream_max_length=100) as broker, client(url) as redis:
        await send(broker, [a_job() for _ in range(600)])
        await send(broker, [an_event() for _ in range(600)])

        assert await redis.xlen(JOBS) == 600
        assert 100 <= await redis.xlen(EVENTS) < 300  # Redis trims whole nodes


async def test_prefixes_are_settings(url: str) -> None:
    """A second AlgaPSA on the same Redis has streams of its own."""
    async with opened(url, prefix="other:", stream_prefix="events:") as broker:
        await send(broker, [a_job()])
        await send(broker, [an_event()])

    assert len(await entries(url, "other:automation:executions")) == 1
    assert len(await entries(url, "other:events:global:automation.execution.retried")) == 1


async def test_markers_expire(url: str) -> None:
    """Nothing beside the stream is kept for ever."""
    async with opened(url, marker_ttl_s=60) as broker, client(url) as redis:
        await send(broker, [a_job()])

        [marker] = set(await redis.keys("*")) - {JOBS}
        assert 0 < await redis.pttl(marker) <= 60_000


@pytest.mark.parametrize("prefix", ["alga-psa:", "{alga}:", "a{lga}-{psa}:"])
async def test_a_marker_is_in_the_hash_slot_of_its_stream(url: str, prefix: str) -> None:
    """One script may access both in a cluster, whatever braces the prefix has."""
    async with opened(url, prefix=prefix) as broker, client(url) as redis:
        await send(broker, [a_job()])
        keys = await redis.keys("*")

        assert len(keys) == 2
        assert len({key_slot(str(key).encode()) for key in keys}) == 1


async def test_a_redis_that_lost_its_data_takes_everything_again(
    url: str, broker: BrokerBundle
) -> None:
    """Streams and markers are lost together, so no message counts as added that is not."""
    job = a_job()
    await send(broker, [job])
    async with client(url) as redis:
        await redis.flushall()
    await send(broker, [job])

    assert await bodies(url, JOBS, "job") == [json_body(job)]


async def test_a_server_that_lost_its_script_cache_gets_the_scripts_again(
    url: str, broker: BrokerBundle
) -> None:
    """As after every restart."""
    first, second = a_job(), a_job()
    await send(broker, [first])
    async with client(url) as redis:
        await redis.script_flush()
    await send(broker, [second])

    assert await bodies(url, JOBS, "job") == [json_body(first), json_body(second)]


@pytest.mark.parametrize("kind", MessageKind)
async def test_a_message_that_is_too_large_blocks_no_other(
    url: str, broker: BrokerBundle, kind: MessageKind
) -> None:
    """It becomes a dead letter; the others are delivered."""
    store = MemoryStore()
    for request_id in ("before", TOO_LONG, "after"):
        write = a_retry_write(a_failed_execution(), request_id=request_id)
        store.overwrite(write.failed)
        commit(store, write)
    relay = RelayOutbox(MemoryOutbox(store, utc_now), {kind: broker.broker})

    assert await relay(kind, 10) == Relayed(delivered=2, refused=1)
    if kind is MessageKind.JOB:
        jobs = await bodies(url, JOBS, "job")
        assert [job["request_id"] for job in jobs] == ["before", "after"]
    else:
        events = await bodies(url, EVENTS, "event")
        assert [event["payload"]["requestId"] for event in events] == ["before", "after"]


async def test_every_redis_takes_what_is_not_refused() -> None:
    """The limit is one that no configuration of Redis undercuts."""
    padding = 1_048_576 - len(envelope(a_job(request_id="")).body)
    largest = a_job(request_id="x" * padding)
    too_large = a_job(request_id="x" * (padding + 1))
    with running_redis("--proto-max-bulk-len", "1mb") as server:
        async with opened(server.url) as broker:
            await send(broker, [largest])
            with pytest.raises(MessageRefused, match="1048577 bytes") as refusal:
                await send(broker, [too_large])

        assert refusal.value.message_id == too_large.id
        assert len(await entries(server.url, JOBS)) == 1


async def test_text_that_json_cannot_carry_is_refused(broker: BrokerBundle) -> None:
    """Half a surrogate pair cannot be encoded in UTF-8."""
    job = evolve(envelope(a_job()), body='{"request_id": "\ud800"}')

    with pytest.raises(MessageRefused, match="not JSON") as refusal:
        await broker.broker.send([job])
    assert refusal.value.message_id == job.id
