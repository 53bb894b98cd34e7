"""The broker under test, and a consumer that pulls from its streams."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import nats
import orjson
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import RetentionPolicy, StorageType, StreamConfig

from automation_retry.adapters.nats.broker import nats_broker
from automation_retry.adapters.nats.settings import NatsSettings
from automation_retry.application import MessageKind
from automation_retry.application.ports import BrokerBundle

JOBS = "AUTOMATION_EXECUTIONS"
EVENTS = "AUTOMATION_EVENTS"

JOB_CONFIG = StreamConfig(
    name=JOBS,
    subjects=["automation.executions.*"],
    retention=RetentionPolicy.WORK_QUEUE,
    storage=StorageType.FILE,
)


@asynccontextmanager
async def opened(
    *urls: str, kinds: frozenset[MessageKind] = frozenset(MessageKind), **settings: Any
) -> AsyncIterator[BrokerBundle]:
    broker = nats_broker(NatsSettings(servers=urls, **settings), kinds=kinds)
    await broker.lifecycle.open()
    try:
        yield broker
    finally:
        await broker.lifecycle.close()


@asynccontextmanager
async def jetstream(url: str) -> AsyncIterator[JetStreamContext]:
    """Another application's connection to the same NATS."""
    client = await nats.connect(url)
    try:
        yield client.jetstream()
    finally:
        await client.close()


async def create_stream(url: str, **changes: Any) -> None:
    """Creates the stream of jobs as an operator might, with a configuration of their own."""
    async with jetstream(url) as js:
        await js.add_stream(JOB_CONFIG, **changes)


async def messages(url: str, stream: str) -> Sequence[Msg]:
    """Consumes all messages of a stream, in order."""
    async with jetstream(url) as js:
        waiting = (await js.stream_info(stream)).state.messages
        subscription = await js.pull_subscribe("", durable="consumer-1", stream=stream)
        received = list[Msg]()
        while len(received) < waiting:
            batch = await subscription.fetch(min(100, waiting - len(received)), timeout=30)
            await asyncio.gather(*[message.ack_sync() for message in batch])
            received += batch
        await js.delete_consumer(stream, "consumer-1")
        return received


async def bodies(url: str, stream: str) -> Sequence[Any]:
    """The JSON of what `messages` consumes."""
    return [orjson.loads(message.data) for message in await messages(url, stream)]
