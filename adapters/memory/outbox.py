from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

from attrs import define, field, frozen

from automation_retry.adapters.memory.store import MemoryStore
from automation_retry.application import Message, MessageKind
from automation_retry.application.ports import (
    DEAD_COUNTED,
    Backlog,
    Claim,
    Clock,
    DeadLetter,
    DeliveryStatus,
    Outbox,
)


@define(eq=False)
class MemoryClaim(Claim):
    """Claimed messages and what became of them; ids of other messages raise KeyError."""

    messages: Sequence[Message]
    acknowledged: list[Message] = field(init=False, factory=list)
    letters: list[DeadLetter] = field(init=False, factory=list)
    _open: dict[UUID, Message] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._open = {message.id: message for message in self.messages}

    async def acknowledge(self, ids: Sequence[UUID]) -> None:
        self.acknowledged += [self._open.pop(message_id) for message_id in ids]

    async def dead_letter(self, message_id: UUID, reason: str) -> None:
        self.letters.append(DeadLetter(message=self._open.pop(message_id), reason=reason))


@frozen
class MemoryOutbox(Outbox):
    store: MemoryStore
    clock: Clock

    @asynccontextmanager
    async def claim(self, kind: MessageKind, limit: int) -> AsyncIterator[MemoryClaim]:
        messages = self.store.messages
        claimed = messages.claim(kind, limit)
        try:
            claim = MemoryClaim(claimed)
            yield claim
            messages.remove(claim.acknowledged)
            messages.dead_letter(claim.letters)
        finally:
            messages.release(claimed)

    async def backlog(self) -> Sequence[Backlog]:
        messages = self.store.messages
        dead = [letter.message.kind for letter in messages.dead_letters]
        return [
            Backlog(
                kind=kind,
                waiting=len(waiting := messages.waiting(kind)),
                oldest_at=min((one.committed_at for one in waiting), default=None),
                dead=dead.count(kind),
            )
            for kind in MessageKind
        ]

    async def status(self) -> Sequence[DeliveryStatus]:
        messages, now = self.store.messages, self.clock()
        return [
            DeliveryStatus(
                kind=backlog.kind,
                oldest_age_s=(now - backlog.oldest_at).total_seconds()
                if backlog.oldest_at
                else None,
                dead=min(backlog.dead, DEAD_COUNTED),
                failure=messages.failure(backlog.kind, now),
            )
            for backlog in await self.backlog()
        ]

    async def note_failure(self, kind: MessageKind, reason: str) -> None:
        self.store.messages.note_failure(kind, reason, self.clock())

    async def clear_failure(self, kind: MessageKind) -> None:
        self.store.messages.clear_failure(kind)

    async def dead_letters(self, limit: int) -> Sequence[DeadLetter]:
        return self.store.messages.dead_letters[:limit]

    async def redrive(self) -> int:
        return self.store.messages.redrive()
