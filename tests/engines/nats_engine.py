"""The engine under test, and a consumer that pulls from its streams."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import nats
import orjson
from attrs import frozen
from nats.aio.msg import Msg
from nats.js import JetStreamContext

from automation_retry.adapters.nats import NatsBus, NatsConnection, NatsQueue, NatsSettings

JOBS = "AUTOMATION_EXECUTIONS"
EVENTS = "AUTOMATION_EVENTS"


@frozen
class NatsEngine:
    connection: NatsConnection
    queue: NatsQueue
    bus: NatsBus


@asynccontextmanager
async def opened(url: str, **settings: Any) -> AsyncIterator[NatsEngine]:
    connection = NatsConnection(NatsSettings(servers=url, **settings))
    await connection.open()
    try:
        yield NatsEngine(connection, NatsQueue(connection), NatsBus(connection))
    finally:
        await connection.close()


@asynccontextmanager
async def jetstream(url: str) -> AsyncIterator[JetStreamContext]:
    """Somebody else's connection to the same NATS."""
    client = await nats.connect(url)
    try:
        yield client.jetstream()
    finally:
        await client.close()


async def messages(url: str, stream: str) -> Sequence[Msg]:
    """Takes everything out of a stream, as a consumer of it receives it, in its order."""
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
    """The JSON of what `messages` takes out."""
    return [orjson.loads(message.data) for message in await messages(url, stream)]
