from collections.abc import Sequence

from attrs import frozen

from automation_retry.application.errors import MessageRefused
from automation_retry.application.messages import ExecutionJob, Message, MessageKind, RetriedEvent
from automation_retry.application.ports import EventBus, ExecutionQueue, Outbox


@frozen(kw_only=True)
class Relayed:
    """What one pass of the relay settled."""

    delivered: int
    refused: int

    @property
    def settled(self) -> int:
        return self.delivered + self.refused


@frozen
class RelayOutbox:
    """Hands committed messages to their engine: at least once, in order for each execution."""

    outbox: Outbox
    queue: ExecutionQueue
    bus: EventBus

    async def __call__(self, kind: MessageKind, limit: int) -> Relayed:
        """Claims up to `limit` messages of a kind, hands them over, then removes them.

        They are removed only after the engine's acknowledgement; whatever dies in between, they
        are delivered again. Any number of relays may run at once.

        Raises:
            EngineUnavailable: nothing was removed.
            StorageUnavailable: what was handed over will be delivered again.
        """
        refused = 0
        async with self.outbox.claim(kind, limit) as claim:
            waiting = list(claim.messages)
            while waiting:
                try:
                    await self._hand_over(waiting)
                except MessageRefused as refusal:
                    others = [one for one in waiting if one.id != refusal.message_id]
                    if len(others) == len(waiting):
                        raise  # not one of ours: handing the same over again would never end
                    await claim.refused(refusal.message_id, refusal.reason)
                    refused += 1
                    waiting = others
                else:
                    await claim.delivered([message.id for message in waiting])
                    break
        return Relayed(delivered=len(waiting), refused=refused)

    async def _hand_over(self, messages: Sequence[Message]) -> None:
        jobs = [message for message in messages if isinstance(message, ExecutionJob)]
        events = [message for message in messages if isinstance(message, RetriedEvent)]
        if jobs:
            await self.queue.enqueue(jobs)
        if events:
            await self.bus.publish(events)
