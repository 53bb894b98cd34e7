from collections.abc import Mapping

from attrs import frozen

from automation_retry.application.errors import MessageRefused
from automation_retry.application.messages import MessageKind
from automation_retry.application.ports import Broker, Outbox


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
    """Delivers committed messages to their broker: at least once, in order for each execution."""

    outbox: Outbox
    brokers: Mapping[MessageKind, Broker]

    async def __call__(self, kind: MessageKind, limit: int) -> Relayed:
        """Claims up to `limit` messages of a kind, sends them, then removes them.

        They are removed only after the broker's acknowledgement, so whatever dies in between, they
        are sent again. Any number of relays may run at once.

        Raises:
            BrokerUnavailable: nothing was removed.
            StorageUnavailable: what was sent will be sent again.
        """
        refused = 0
        async with self.outbox.claim(kind, limit) as claim:
            messages = claim.messages
            while messages:
                try:
                    await self.brokers[kind].send(messages)
                except MessageRefused as refusal:
                    others = [one for one in messages if one.id != refusal.message_id]
                    if len(others) == len(messages):
                        raise  # not one of these: sending them again would never end
                    await claim.dead_letter(refusal.message_id, refusal.reason)
                    refused += 1
                    messages = others
                else:
                    await claim.acknowledge([message.id for message in messages])
                    break
        return Relayed(delivered=len(messages), refused=refused)
