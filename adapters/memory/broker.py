"""Delivery within this process: subscribers are coroutine functions."""

from collections.abc import Awaitable, Callable, Sequence

from attrs import define, field

from automation_retry.adapters.always_ready import AlwaysReady
from automation_retry.adapters.no_tables import NoTables
from automation_retry.application import (
    BrokerUnavailable,
    DeliveryError,
    Message,
    MessageKind,
)
from automation_retry.application.ports import Broker, BrokerBundle

NAME = "memory"

Subscriber = Callable[[Message], Awaitable[None]]
"""Has accepted a message when it returns. Messages are awaited one by one: a subscriber that takes
long starts a task."""


@define(eq=False)
class MemoryBroker(Broker):
    """Each job goes to one subscriber, in turn; each event goes to every subscriber.

    Without a subscriber, jobs are not accepted and wait in the outbox; events are dropped.
    """

    _subscribers: dict[MessageKind, list[Subscriber]] = field(
        init=False, factory=lambda: {kind: [] for kind in MessageKind}
    )

    def subscribe(self, kind: MessageKind, subscriber: Subscriber) -> None:
        """Delivers messages of that kind to `subscriber` from now on."""
        self._subscribers[kind].append(subscriber)

    def unsubscribe(self, kind: MessageKind, subscriber: Subscriber) -> None:
        self._subscribers[kind].remove(subscriber)

    async def send(self, messages: Sequence[Message]) -> None:
        for message in messages:
            for subscriber in self._receivers(message.kind):
                await _deliver(message, subscriber)

    def _receivers(self, kind: MessageKind) -> Sequence[Subscriber]:
        subscribers = self._subscribers[kind]
        if kind is MessageKind.EVENT:
            return tuple(subscribers)
        if not subscribers:
            raise BrokerUnavailable(NAME, "nobody takes jobs from the queue")
        first = subscribers.pop(0)
        subscribers.append(first)
        return (first,)


async def _deliver(message: Message, subscriber: Subscriber) -> None:
    """A subscriber that raises did not accept the message: the relay sends it again.

    Only `MessageRefused`, raised by a subscriber, refuses it for good.
    """
    try:
        await subscriber(message)
    except DeliveryError:
        raise
    except Exception as error:
        # Only the type: the text may quote the message, and the reason is shown to operators.
        raise BrokerUnavailable(NAME, f"a subscriber raised {type(error).__name__}") from error


def memory_broker() -> BrokerBundle:
    lifecycle = AlwaysReady()
    return BrokerBundle(
        name=NAME,
        broker=MemoryBroker(),
        lifecycle=lifecycle,
        schema=NoTables(),
        readiness=lifecycle,
    )
