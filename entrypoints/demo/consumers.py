"""How jobs and events reach the demo's engine and listener: by the broker of its storage."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from automation_retry.adapters.memory import MemoryBroker
from automation_retry.adapters.procrastinate.worker import worker
from automation_retry.adapters.wire.messages import body_of
from automation_retry.application import Message, MessageKind
from automation_retry.entrypoints.container import Container
from automation_retry.entrypoints.settings import StorageKind

Handler = Callable[[dict[str, Any]], Awaitable[None]]
"""Takes the body of a message."""


@asynccontextmanager
async def consuming(
    container: Container, handlers: Mapping[MessageKind, Handler]
) -> AsyncIterator[None]:
    """Calls the handler of each message's kind until the context ends."""
    database_url = container.settings().database_url
    brokers = container.brokers()
    by_kind = {MessageKind.JOB: brokers.jobs.broker, MessageKind.EVENT: brokers.events.broker}
    async with AsyncExitStack() as stack:
        if database_url.kind is not StorageKind.MEMORY:
            await stack.enter_async_context(worker(database_url.text, handlers))
        for kind, handler in handlers.items():
            broker = by_kind[kind]
            if isinstance(broker, MemoryBroker):
                await stack.enter_async_context(_subscribed(broker, kind, handler))
        yield


@asynccontextmanager
async def _subscribed(
    broker: MemoryBroker, kind: MessageKind, handler: Handler
) -> AsyncIterator[None]:
    running: set[asyncio.Task[None]] = set()

    async def take(message: Message) -> None:
        task = asyncio.ensure_future(handler(body_of(message)))
        running.add(task)
        task.add_done_callback(running.discard)

    broker.subscribe(kind, take)
    try:
        yield
    finally:
        broker.unsubscribe(kind, take)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
