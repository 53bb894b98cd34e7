import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
from redis.asyncio import Redis

from automation_retry.adapters.json_codec import message_from
from automation_retry.adapters.redis import RedisBus, RedisConnection, RedisQueue, RedisSettings
from automation_retry.application import ExecutionJob, MessageKind, RetriedEvent
from tests.ports.engine import Engine, Received
from tests.servers.redis_server import running_redis

JOBS = "alga-psa:automation:executions"
EVENTS = "alga-psa:event-stream:global:automation.execution.retried"


@asynccontextmanager
async def open_engine() -> AsyncIterator[Engine]:
    """Streams in a Redis of its own, read by a group as AlgaPSA's consumers read them."""
    jobs, events = Received[ExecutionJob](), Received[RetriedEvent]()
    with running_redis() as server:
        connection = RedisConnection(RedisSettings(url=server.url))
        await connection.open()
        async with Redis.from_url(server.url, protocol=2) as redis:
            for stream in (JOBS, EVENTS):
                await redis.xgroup_create(stream, "event-processors", id="0", mkstream=True)
            # Told to stop, not cancelled: a cancellation can get lost in a read that times out.
            stopping = asyncio.Event()
            reader = asyncio.create_task(_read(redis, jobs, events, stopping))
            yield Engine(
                queue=RedisQueue(connection), bus=RedisBus(connection), jobs=jobs, events=events
            )
            stopping.set()
            await reader
        await connection.close()


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
                    job = message_from(MessageKind.JOB, orjson.loads(fields[b"job"]))
                    assert isinstance(job, ExecutionJob)
                    await jobs.take(job)
                else:
                    event = message_from(MessageKind.EVENT, orjson.loads(fields[b"event"]))
                    assert isinstance(event, RetriedEvent)
                    await events.take(event)
                await redis.xack(stream, "event-processors", entry_id)
