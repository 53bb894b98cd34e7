from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

from attrs import define, field, frozen

from adapters.memory.store import MemoryStore
from adapters.memory.waiting_messages import DeadLetter
from application import Message, MessageKind
from application.ports import Claim, Outbox


@define(eq=False)
class MemoryClaim(Claim):
    """Lent messages, and what became of them; ids that are not lent by it raise KeyError."""

    messages: Sequence[Message]
    settled: dict[UUID, Message] = field(init=False, factory=dict)
    letters: dict[UUID, DeadLetter] = field(init=False, factory=dict)
    _open: dict[UUID, Message] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._open = {message.id: message for message in self.messages}

    async def delivered(self, ids: Sequence[UUID]) -> None:
        for message_id in ids:
            self.settled[message_id] = self._open.pop(message_id)

    async def refused(self, message_id: UUID, reason: str) -> None:
        self.letters[message_id] = DeadLetter(self._open.pop(message_id), reason)


@frozen
class MemoryOutbox(Outbox):
    store: MemoryStore

    @asynccontextmanager
    async def claim(self, kind: MessageKind, limit: int) -> AsyncIterator[MemoryClaim]:
        waiting = self.store.messages
        lent = waiting.lend(kind, limit)
        try:
            claim = MemoryClaim(lent)
            yield claim
            waiting.remove(claim.settled.values())
            waiting.bury(claim.letters.values())
        finally:
            waiting.take_back(lent)
