"""A broker as the contract suite sees it: the port, and a real consumer behind it."""

import asyncio
from collections.abc import Sequence
from typing import Generic

from attrs import define, field, frozen

from automation_retry.application import ExecutionJob, RetriedEvent
from automation_retry.application.ports import Broker
from tests.support.envelopes import envelopes
from tests.support.messages import S, Sent

_TIMEOUT_S = 30.0
"""A message that has not arrived by then is lost, and the test fails."""


@define(eq=False, repr=False)
class Received(Generic[S]):
    """What a consumer received, in order."""

    messages: list[S] = field(factory=list)
    _arrived: asyncio.Condition = field(factory=asyncio.Condition)

    async def take(self, message: S) -> None:
        """The consumer calls this for every message."""
        async with self._arrived:
            self.messages.append(message)
            self._arrived.notify_all()

    async def until(self, last: S) -> Sequence[S]:
        """Waits for the message with the id of `last`; returns all of its tenant up to then."""
        async with asyncio.timeout(_TIMEOUT_S), self._arrived:
            await self._arrived.wait_for(
                lambda: any(message.id == last.id for message in self.messages)
            )
        tenant = last.retried.tenant
        return [message for message in self.messages if message.retried.tenant == tenant]


@frozen(kw_only=True, repr=False)
class BrokerUnderTest:
    """Each message that is sent reaches `jobs` or `events` through a real consumer."""

    broker: Broker
    jobs: Received[ExecutionJob]
    events: Received[RetriedEvent]

    async def send(self, sent: Sequence[Sent]) -> None:
        """Sends jobs or events in one call."""
        await self.broker.send(envelopes(sent))
