"""The engine in this process: subscribers are coroutine functions."""

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from attrs import define, field

from automation_retry.application import (
    DeliveryError,
    EngineUnavailable,
    ExecutionJob,
    RetriedEvent,
)
from automation_retry.application.ports import EventBus, ExecutionQueue

M = TypeVar("M")
Subscriber = Callable[[M], Awaitable[None]]

_ENGINE = "memory"


async def _hand_over(message: M, subscriber: Subscriber[M]) -> None:
    """A subscriber that raises did not take the message, so the relay brings it again.

    Only `MessageRefused`, raised by a subscriber, says that it will never be taken.
    """
    try:
        await subscriber(message)
    except DeliveryError:
        raise
    except Exception as error:
        raise EngineUnavailable(_ENGINE, f"a subscriber raised {error!r}") from error


@define(eq=False)
class MemoryQueue(ExecutionQueue):
    """Each job goes to one subscriber, in turn, which has it when its coroutine returns.

    Without a subscriber jobs are not taken, so that they wait in the outbox for the first one.
    """

    _subscribers: deque[Subscriber[ExecutionJob]] = field(init=False, factory=deque)

    def subscribe(self, subscriber: Subscriber[ExecutionJob]) -> None:
        """Jobs are awaited one by one: a subscriber that takes long starts a task of its own."""
        self._subscribers.append(subscriber)

    def unsubscribe(self, subscriber: Subscriber[ExecutionJob]) -> None:
        self._subscribers.remove(subscriber)

    async def enqueue(self, jobs: Sequence[ExecutionJob]) -> None:
        for job in jobs:
            if not self._subscribers:
                raise EngineUnavailable(_ENGINE, "nobody takes jobs from the queue")
            subscriber = self._subscribers[0]
            self._subscribers.rotate(-1)
            await _hand_over(job, subscriber)


@define(eq=False)
class MemoryBus(EventBus):
    """Each event goes to every subscriber; without any it is over at once."""

    _subscribers: list[Subscriber[RetriedEvent]] = field(init=False, factory=list)

    def subscribe(self, subscriber: Subscriber[RetriedEvent]) -> None:
        """Events are awaited one by one: a subscriber that takes long starts a task of its own."""
        self._subscribers.append(subscriber)

    def unsubscribe(self, subscriber: Subscriber[RetriedEvent]) -> None:
        self._subscribers.remove(subscriber)

    async def publish(self, events: Sequence[RetriedEvent]) -> None:
        for event in events:
            for subscriber in tuple(self._subscribers):
                await _hand_over(event, subscriber)
