"""The broker under test, and a consumer that reads its streams as AlgaPSA's do."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import orjson
from redis.asyncio import Redis

from automation_retry.adapters.redis.broker import redis_broker
from automation_retry.adapters.redis.settings import RedisSettings
from automation_retry.application import MessageKind
from automation_retry.application.ports import BrokerBundle

JOBS = "alga-psa:automation:executions"
EVENTS = "alga-psa:event-stream:global:automation.execution.retried"

Entry = dict[str, str]


@asynccontextmanager
async def opened(
    url: str, *, kinds: frozenset[MessageKind] = frozenset(MessageKind), **settings: Any
) -> AsyncIterator[BrokerBundle]:
    broker = redis_broker(RedisSettings(url=url, **settings), kinds=kinds)
    await broker.lifecycle.open()
    try:
        yield broker
    finally:
        await broker.lifecycle.close()


@asynccontextmanager
async def client(url: str) -> AsyncIterator[Redis]:
    """Another application's connection to the same Redis."""
    redis = Redis.from_url(url, decode_responses=True, protocol=2)
    try:
        yield redis
    finally:
        await redis.aclose()


async def entries(url: str, stream: str) -> Sequence[Entry]:
    """The entries of a stream in order, as a new consumer group receives them."""
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
