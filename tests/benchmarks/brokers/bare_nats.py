import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

import nats
import nats.errors
import orjson
from attrs import frozen
from nats.js import JetStreamContext
from nats.js.api import RetentionPolicy, StorageType, StreamConfig

from automation_retry.application import Message, MessageKind
from tests.benchmarks.arena import Arena
from tests.benchmarks.brokers.bare_broker import BareBroker, Received
from tests.benchmarks.failed_rows import TENANT
from tests.support.nats_server import running_nats

_JOBS: Final = "AUTOMATION_EXECUTIONS"
_EVENTS: Final = "AUTOMATION_EVENTS"
_SUBJECTS: Final = {
    MessageKind.JOB: "automation.executions",
    MessageKind.EVENT: "automation.execution.retried",
}


@frozen
class BareNats(BareBroker):
    js: JetStreamContext
    variables: Mapping[str, str]

    async def send(self, messages: Sequence[Message]) -> None:
        subject = f"{_SUBJECTS[messages[0].kind]}.{TENANT}"
        acknowledged = [
            await self.js.publish_async(
                subject, message.body.encode(), headers={"Nats-Msg-Id": str(message.id)}
            )
            for message in messages
        ]
        await asyncio.gather(*acknowledged)

    @asynccontextmanager
    async def consuming(self, received: Received) -> AsyncIterator[None]:
        jobs = await self.js.pull_subscribe(
            f"{_SUBJECTS[MessageKind.JOB]}.*", durable="engines", stream=_JOBS
        )
        consumer = asyncio.create_task(_consume(jobs, received))
        try:
            yield
        finally:
            consumer.cancel()
            await asyncio.gather(consumer, return_exceptions=True)


async def _consume(jobs: JetStreamContext.PullSubscription, received: Received) -> None:
    while True:
        try:
            messages = await jobs.fetch(10, timeout=1)
        except nats.errors.TimeoutError:
            continue
        for message in messages:
            received(orjson.loads(message.data))
            await message.ack()


@asynccontextmanager
async def running_bare_nats(_: Arena) -> AsyncIterator[BareNats]:
    """A new nats-server with the streams that the service would create."""
    with running_nats() as server:
        client = await nats.connect(server.url)
        try:
            js = client.jetstream()
            for name, kind, retention in (
                (_JOBS, MessageKind.JOB, RetentionPolicy.WORK_QUEUE),
                (_EVENTS, MessageKind.EVENT, RetentionPolicy.LIMITS),
            ):
                await js.add_stream(
                    StreamConfig(
                        name=name,
                        subjects=[f"{_SUBJECTS[kind]}.*"],
                        retention=retention,
                        storage=StorageType.FILE,
                        duplicate_window=120,
                    )
                )
            yield BareNats(
                js,
                {
                    "AUTOMATION_RETRY_JOB_QUEUE": "nats",
                    "AUTOMATION_RETRY_EVENT_BUS": "nats",
                    "AUTOMATION_RETRY_NATS_URL": server.url,
                },
            )
        finally:
            await client.close()
