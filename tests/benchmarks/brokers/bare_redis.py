import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import orjson
from attrs import frozen
from redis.asyncio import Redis

from automation_retry.application import Message, MessageKind
from tests.benchmarks.arena import Arena
from tests.benchmarks.brokers.bare_broker import BareBroker, Received
from tests.support.redis_server import running_redis

_JOBS: Final = "alga-psa:automation:executions"
_EVENTS: Final = "alga-psa:event-stream:global:automation.execution.retried"
_GROUP: Final = "engines"


@frozen
class BareRedis(BareBroker):
    redis: Redis
    variables: Mapping[str, str]

    async def send(self, messages: Sequence[Message]) -> None:
        async with self.redis.pipeline(transaction=False) as pipeline:
            for message in messages:
                if message.kind is MessageKind.JOB:
                    pipeline.xadd(_JOBS, {"job": message.body})
                else:
                    event: Any = {"event": message.body, "channel": "global"}
                    pipeline.xadd(_EVENTS, event, maxlen=1000, approximate=True)
            await pipeline.execute()

    @asynccontextmanager
    async def consuming(self, received: Received) -> AsyncIterator[None]:
        await self.redis.xgroup_create(_JOBS, _GROUP, id="$", mkstream=True)
        consumer = asyncio.create_task(self._consume(received))
        try:
            yield
        finally:
            consumer.cancel()
            await asyncio.gather(consumer, return_exceptions=True)

    async def _consume(self, received: Received) -> None:
        while True:
            streams: Any = await self.redis.xreadgroup(
                _GROUP, "engine-1", {_JOBS: ">"}, count=10, block=1000
            )
            for _, entries in streams:
                for entry_id, fields in entries:
                    received(orjson.loads(fields[b"job"]))
                    await self.redis.xack(_JOBS, _GROUP, entry_id)


@asynccontextmanager
async def running_bare_redis(_: Arena) -> AsyncIterator[BareRedis]:
    """A new Redis that has on disk what it acknowledged."""
    with running_redis() as server:
        redis = Redis.from_url(server.url, protocol=2)
        try:
            yield BareRedis(
                redis,
                {
                    "AUTOMATION_RETRY_JOB_QUEUE": "redis",
                    "AUTOMATION_RETRY_EVENT_BUS": "redis",
                    "AUTOMATION_RETRY_REDIS_URL": server.url,
                },
            )
        finally:
            await redis.aclose()
