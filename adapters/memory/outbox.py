from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import UUID

from attrs import define, field, frozen

from automation_retry.adapters.json_codec import kind_of
from automation_retry.adapters.memory.message_address import MessageAddress
from automation_retry.adapters.memory.store import MemoryStore
from automation_retry.adapters.memory.waiting_messages import DeadLetter
from automation_retry.application import ExecutionJob, Message, MessageKind, ports
from automation_retry.application.ports import Backlog, Claim, Outbox


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

    async def backlog(self) -> Sequence[Backlog]:
        messages = self.store.messages
        return [
            Backlog(
                kind=kind,
                waiting=len(waiting := messages.waiting(kind)),
                oldest_at=min(map(_committed_at, waiting), default=None),
                dead=sum(kind_of(letter.message) is kind for letter in messages.dead_letters),
            )
            for kind in MessageKind
        ]

    async def dead_letters(self, limit: int) -> Sequence[ports.DeadLetter]:
        return [
            ports.DeadLetter(
                tenant=(address := MessageAddress.of(letter.message)).tenant,
                id=letter.message.id,
                kind=address.kind,
                execution_id=address.execution_id,
                attempt=address.attempt,
                reason=letter.reason,
            )
            for letter in self.store.messages.dead_letters[:limit]
        ]

    async def retry_dead(self) -> int:
        return self.store.messages.unbury()


def _committed_at(message: Message) -> datetime:
    return message.requested_at if isinstance(message, ExecutionJob) else message.retried.retried_at
