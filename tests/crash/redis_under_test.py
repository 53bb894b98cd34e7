from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import orjson
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from automation_retry.application import MessageKind
from tests.adapters.redis.redis_streams import EVENTS, JOBS
from tests.crash.broker_under_test import BrokerUnderTest, RoundDatabase
from tests.crash.consumer_log import ConsumerLog
from tests.support.redis_server import running_redis

_GROUP, _CONSUMER = "event-processors", "crash-test"
_BATCH = 100
_BLOCK_MS = 500


@asynccontextmanager
async def redis_under_test() -> AsyncIterator[BrokerUnderTest]:
    with running_redis() as server:
        yield BrokerUnderTest(
            consumers=(
                partial(_consume, server.url, JOBS, "job", MessageKind.JOB),
                partial(_consume, server.url, EVENTS, "event", MessageKind.EVENT),
            ),
            variables={
                "AUTOMATION_RETRY_JOB_QUEUE": "redis",
                "AUTOMATION_RETRY_EVENT_BUS": "redis",
                "AUTOMATION_RETRY_REDIS_URL": server.url,
                # With AlgaPSA's default, events that were not read yet are trimmed after an outage.
                "REDIS_STREAM_MAX_LENGTH": "1000000",
            },
            server=server,
        )


async def _consume(
    url: str, stream: str, field: str, kind: MessageKind, _: RoundDatabase, log: ConsumerLog
) -> None:
    async with Redis.from_url(url, decode_responses=True, protocol=2) as redis:
        try:
            await redis.xgroup_create(stream, _GROUP, id="0", mkstream=True)
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise
        # First the pending entries: delivered to this consumer and never acknowledged.
        position = "0"
        while True:
            found: Any = await redis.xreadgroup(
                _GROUP, _CONSUMER, {stream: position}, count=_BATCH, block=_BLOCK_MS
            )
            entries = [entry for _, batch in found for entry in batch]
            for entry_id, fields in entries:
                log.receive(kind, orjson.loads(fields[field]))
                await redis.xack(stream, _GROUP, entry_id)
            if not entries:
                position = ">"
