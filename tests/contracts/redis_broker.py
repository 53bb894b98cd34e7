import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
from redis.asyncio import Redis

from automation_retry.application import ExecutionJob, RetriedEvent
from tests.adapters.redis.redis_streams import EVENTS, JOBS, opened
from tests.contracts.broker import BrokerUnderTest, Received
from tests.support.messages import read_event, read_job
from tests.support.redis_server import running_redis


@asynccontextmanager
async def open_broker() -> AsyncIterator[BrokerUnderTest]:
    """Streams in a Redis of its own, read by a consumer group as AlgaPSA's consumers read them."""
    jobs, events = Received[ExecutionJob](), Received[RetriedEvent]()
    with running_redis() as server:
        async with opened(server.url) as bundle, Redis.from_url(server.url, protocol=2) as redis:
            for stream in (JOBS, EVENTS):
                await redis.xgroup_create(stream, "event-processors", id="0", mkstream=True)
            # Stopped, not cancelled: a cancellation can get lost in a read that times out.
            stopping = asyncio.Event()
            reader = asyncio.create_task(_read(redis, jobs, events, stopping))
            yield BrokerUnderTest(broker=bundle.broker, jobs=jobs, events=events)
            stopping.set()
            await reader


async def _read(
    redis: Redis,
    jobs: Received[ExecutionJob],
    events: Received[RetriedEvent],
    stopping: asyncio.Event,
) -> None:
    while not stopping.is_set():
        streams: Any = await redis.xreadgroup(
            "event-processors", "consumer", {JOBS: ">", EVENTS: ">"}, count=100, block=200
        )
        for stream, entries in streams or ():
            for entry_id, fields in entries:
                if b"job" in fields:
                    await jobs.take(read_job(orjson.loads(fields[b"job"])))
                else:
                    await events.take(read_event(orjson.loads(fields[b"event"])))
                await redis.xack(stream, "event-processors", entry_id)
