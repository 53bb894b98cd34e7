"""An engine as the contract suite sees it: the ports, and a real consumer behind them."""

import asyncio
from collections.abc import Sequence
from typing import Generic, TypeVar
from uuid import UUID

from attrs import define, field, frozen

from automation_retry.application import ExecutionJob, RetriedEvent
from automation_retry.application.ports import EventBus, ExecutionQueue

M = TypeVar("M", ExecutionJob, RetriedEvent)

_PATIENCE = 30.0
"""Seconds after which a message that has not arrived is lost, and the test fails."""


@define(eq=False, repr=False)
class Received(Generic[M]):
    """What a consumer was given, in the order in which it was given."""

    messages: list[M] = field(factory=list)
    _arrived: asyncio.Condition = field(factory=asyncio.Condition)

    async def take(self, message: M) -> None:
        """The consumer calls this for every message."""
        async with self._arrived:
            self.messages.append(message)
            self._arrived.notify_all()

    async def until(self, last: M) -> Sequence[M]:
        """Waits for the message with the id of `last`; all of its tenant that came up to then."""
        async with asyncio.timeout(_PATIENCE), self._arrived:
            await self._arrived.wait_for(
                lambda: any(message.id == last.id for message in self.messages)
            )
        return [message for message in self.messages if tenant_of(message) == tenant_of(last)]


def tenant_of(message: ExecutionJob | RetriedEvent) -> UUID:
    return message.tenant if isinstance(message, ExecutionJob) else message.retried.tenant


@frozen(kw_only=True, repr=False)
class Engine:
    """Each message that the ports take reaches `jobs` or `events` through a real consumer."""

    queue: ExecutionQueue
    bus: EventBus
    jobs: Received[ExecutionJob]
    events: Received[RetriedEvent]
