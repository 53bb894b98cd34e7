import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import orjson
from attrs import frozen
from redis.asyncio import Redis

from automation_retry.application import MessageKind
from tests.benchmarks.arena import Arena
from tests.benchmarks.engines.engine import Arrived, BareEngine
from tests.servers.redis_server import running_redis

_JOBS: Final = "alga-psa:automation:executions"
_EVENTS: Final = "alga-psa:event-stream:global:automation.execution.retried"
_GROUP: Final = "engines"


@frozen
class BareRedis(BareEngine):
    redis: Redis
    variables: Mapping[str, str]

    async def hand_over(self, kind: MessageKind, bodies: Sequence[dict[str, Any]]) -> None:
        async with self.redis.pipeline(transaction=False) as pipeline:
            for body in bodies:
                if kind is MessageKind.JOB:
                    pipeline.xadd(_JOBS, {"job": orjson.dumps(body)})
                else:
                    event: Any = {"event": orjson.dumps(body), "channel": "global"}
                    pipeline.xadd(_EVENTS, event, maxlen=1000, approximate=True)
            await pipeline.execute()

    @asynccontextmanager
    async def consuming(self, arrived: Arrived) -> AsyncIterator[None]:
        await self.redis.xgroup_create(_JOBS, _GROUP, id="$", mkstream=True)
        consumer = asyncio.create_task(self._consume(arrived))
        try:
            yield
        finally:
            consumer.cancel()
            await asyncio.gather(consumer, return_exceptions=True)

    async def _consume(self, arrived: Arrived) -> None:
        while True:
            streams: Any = await self.redis.xreadgroup(
                _GROUP, "engine-1", {_JOBS: ">"}, count=10, block=1000
            )
            for _, entries in streams:
                for entry_id, fields in entries:
                    arrived(orjson.loads(fields[b"job"]))
                    await self.redis.xack(_JOBS, _GROUP, entry_id)


@asynccontextmanager
async def running_bare_redis(_: Arena) -> AsyncIterator[BareRedis]:
    """A Redis of its own that has on disk what it acknowledged."""
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
