"""The seam between the harness and the engine that takes jobs and events."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol

from attrs import field, frozen

from tests.crash.consumer_log import ConsumerLog

_PAUSE_S = 0.1
"""After an outage has been noticed by its errors."""


class Broker(Protocol):
    """A server of the engine's own, made running. Its methods block for a moment."""

    def start(self) -> None:
        """Starts it where it is down, on the same port and data."""
        ...

    def kill(self) -> None:
        """Kill -9."""
        ...


@frozen(kw_only=True)
class Storage:
    """The database of a round, for what works beside the service."""

    url: str
    up: asyncio.Event
    """Whether it can be connected to, as far as is known."""


Consume = Callable[[Storage, ConsumerLog], Coroutine[Any, Any, None]]
"""Consumes until its server goes away, which is an error; then it is called again."""


@frozen(kw_only=True)
class EngineUnderTest:
    """A fresh engine, as long as its context lasts."""

    consumers: tuple[Consume, ...]
    """Real consumers that together get all jobs and events."""
    variables: Mapping[str, str] = field(factory=dict)
    """What chooses it, in the environment of the service."""
    broker: Broker | None = None
    """None when it lives in PostgreSQL."""
    redelivers_within_s: float = 0
    """How long a message may lie that a killed broker had sent and no consumer got."""

    @asynccontextmanager
    async def consuming(self, storage: Storage, log: ConsumerLog) -> AsyncIterator[None]:
        """Consumes through every outage until the context ends."""
        tasks = [
            asyncio.create_task(_again_and_again(consume, storage, log))
            for consume in self.consumers
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


NewEngine = Callable[[], AbstractAsyncContextManager[EngineUnderTest]]


async def _again_and_again(consume: Consume, storage: Storage, log: ConsumerLog) -> None:
    while True:
        try:
            await consume(storage, log)
        except Exception:  # noqa: BLE001 - a consumer outlives whatever an outage does to it
            await asyncio.sleep(_PAUSE_S)
