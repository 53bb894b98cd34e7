"""The engine under test, and a consumer that reads its streams as AlgaPSA's do."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import orjson
from attrs import frozen
from redis.asyncio import Redis

from automation_retry.adapters.redis import RedisBus, RedisConnection, RedisQueue, RedisSettings

JOBS = "alga-psa:automation:executions"
EVENTS = "alga-psa:event-stream:global:automation.execution.retried"

Entry = dict[str, str]


@frozen
class RedisEngine:
    connection: RedisConnection
    queue: RedisQueue
    bus: RedisBus


@asynccontextmanager
async def opened(url: str, **settings: Any) -> AsyncIterator[RedisEngine]:
    connection = RedisConnection(RedisSettings(url=url, **settings))
    await connection.open()
    try:
        yield RedisEngine(connection, RedisQueue(connection), RedisBus(connection))
    finally:
        await connection.close()


@asynccontextmanager
async def client(url: str) -> AsyncIterator[Redis]:
    """Somebody else's connection to the same Redis."""
    redis = Redis.from_url(url, decode_responses=True, protocol=2)
    try:
        yield redis
    finally:
        await redis.aclose()


async def entries(url: str, stream: str) -> Sequence[Entry]:
    """What is in a stream, as the consumers of a group of its own receive it, in their order."""
    async with client(url) as redis:
        if not await redis.exists(stream):
            return []
        await redis.xgroup_create(stream, "event-processors", id="0")
        received = list[Entry]()
        while batch := await _next_batch(redis, stream):
            received += batch.values()
            await redis.xack(stream, "event-processors", *batch)
        await redis.xgroup_destroy(stream, "event-processors")
        return received


async def _next_batch(redis: Redis, stream: str) -> dict[str, Entry]:
    streams: Any = await redis.xreadgroup(
        "event-processors", "consumer-1", {stream: ">"}, count=1000
    )
    return {entry_id: fields for _, batch in streams for entry_id, fields in batch}


async def bodies(url: str, stream: str, field: str) -> Sequence[Any]:
    """The JSON in one field of a stream's entries."""
    return [orjson.loads(entry[field]) for entry in await entries(url, stream)]
