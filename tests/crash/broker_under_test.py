"""The seam between the harness and the broker that carries jobs and events."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol

from attrs import field, frozen

from tests.crash.consumer_log import ConsumerLog

_PAUSE_S = 0.1
"""After a consumer failed because of an outage."""


class BrokerServer(Protocol):
    """A server of the broker's own, created running. Its methods block for a moment."""

    def start(self) -> None:
        """Starts it where it is down, on the same port and data."""
        ...

    def kill(self) -> None:
        """Kill -9."""
        ...


@frozen(kw_only=True)
class RoundDatabase:
    """The database of one round."""

    url: str
    up: asyncio.Event
    """Set while the server is believed to accept connections."""


Consume = Callable[[RoundDatabase, ConsumerLog], Coroutine[Any, Any, None]]
"""Consumes until its server goes away, which raises an error; then it is called again."""


@frozen(kw_only=True)
class BrokerUnderTest:
    """A new and empty broker, for one round."""

    consumers: tuple[Consume, ...]
    """Real consumers that together receive all jobs and events."""
    variables: Mapping[str, str] = field(factory=dict)
    """The environment variables with which the service chooses it."""
    server: BrokerServer | None = None
    """None when it lives in PostgreSQL."""
    redelivers_within_s: float = 0
    """The longest time until messages come again that a killed server had sent and no consumer
    received."""

    @asynccontextmanager
    async def consuming(self, database: RoundDatabase, log: ConsumerLog) -> AsyncIterator[None]:
        """Consumes through every outage until the context ends."""
        tasks = [
            asyncio.create_task(_consume_through_outages(consume, database, log))
            for consume in self.consumers
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


NewBroker = Callable[[], AbstractAsyncContextManager[BrokerUnderTest]]


async def _consume_through_outages(
    consume: Consume, database: RoundDatabase, log: ConsumerLog
) -> None:
    while True:
        try:
            await consume(database, log)
        except Exception:  # noqa: BLE001 - a consumer outlives whatever an outage does to it
            await asyncio.sleep(_PAUSE_S)
