from collections.abc import Mapping
from contextlib import suppress

from attrs import field, frozen

from automation_retry.application.errors import (
    BrokerUnavailable,
    MessageRefused,
    StorageUnavailable,
)
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


_REASON_LENGTH = 200


@frozen
class RelayOutbox:
    """Delivers committed messages to their broker: at least once, in order for each execution.

    The reason of the last failure is kept in the outbox until a delivery succeeds, so that other
    processes can show it. Failing to keep it, as before a migration, does not affect the delivery.
    """

    outbox: Outbox
    brokers: Mapping[MessageKind, Broker]
    _delivering: set[MessageKind] = field(factory=set, init=False)
    """The kinds whose last delivery by this relay succeeded."""

    async def __call__(self, kind: MessageKind, limit: int) -> Relayed:
        """Claims up to `limit` messages of a kind, sends them, then removes them.

        They are removed only after the broker's acknowledgement, so whatever dies in between, they
        are sent again. Any number of relays may run at once.

        Raises:
            BrokerUnavailable: nothing was removed.
            StorageUnavailable: what was sent will be sent again.
        """
        try:
            relayed = await self._relay(kind, limit)
        except BrokerUnavailable as unavailable:
            await self._note_failure(kind, unavailable.reason)
            raise
        except StorageUnavailable:
            raise  # the reason could not be stored either
        except Exception as error:
            # Only the type: the reason is public, and the message may quote a tenant's data.
            await self._note_failure(kind, f"unexpected {type(error).__name__}")
            raise
        if relayed.settled and kind not in self._delivering:
            self._delivering.add(kind)
            with suppress(StorageUnavailable):
                await self.outbox.clear_failure(kind)
        return relayed

    async def _note_failure(self, kind: MessageKind, reason: str) -> None:
        self._delivering.discard(kind)
        line = "".join(one if one.isprintable() else " " for one in reason[:_REASON_LENGTH])
        with suppress(StorageUnavailable):
            await self.outbox.note_failure(kind, line)

    async def _relay(self, kind: MessageKind, limit: int) -> Relayed:
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
