from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol
from uuid import UUID

from attrs import frozen

from automation_retry.application.messages import Message, MessageKind


class Claim(Protocol):
    """Messages lent to one relay. What is not settled when the context ends is given back."""

    messages: Sequence[Message]
    """All of one kind, oldest first, at most one of each execution."""

    async def delivered(self, ids: Sequence[UUID]) -> None:
        """Removes messages that the engine acknowledged.

        Raises:
            StorageUnavailable: they will be claimed and delivered again.
        """
        ...

    async def refused(self, message_id: UUID, reason: str) -> None:
        """Sets a message aside as a dead letter, with the engine's reason; it blocks no other.

        Raises:
            StorageUnavailable: it will be claimed again.
        """
        ...


@frozen(kw_only=True)
class Backlog:
    """What lies in the outbox of one kind of message."""

    kind: MessageKind
    waiting: int
    """Committed and not yet delivered."""
    oldest_at: datetime | None
    """When the oldest of them was committed."""
    dead: int
    """Refused by the engine for good."""


@frozen(kw_only=True)
class DeadLetter:
    """A message that an engine refused, and why."""

    tenant: UUID
    id: UUID
    kind: MessageKind
    execution_id: UUID
    attempt: int
    reason: str


class Outbox(Protocol):
    """Committed messages that still have to be handed to an engine."""

    def claim(self, kind: MessageKind, limit: int) -> AbstractAsyncContextManager[Claim]:
        """Lends up to `limit` messages of a kind to the caller alone.

        What is claimed elsewhere is passed over, never waited for. A message is lent only after
        those of earlier attempts of the same execution and kind were delivered or refused. What was
        settled becomes lasting when the context ends without an error; after an error, or the
        death of the process, everything is given back.

        Raises:
            StorageUnavailable: the storage did not answer.
        """
        ...

    async def backlog(self) -> Sequence[Backlog]:
        """How much waits and how much is dead, for each kind.

        Raises:
            StorageUnavailable: the storage did not answer.
        """
        ...

    async def dead_letters(self, limit: int) -> Sequence[DeadLetter]:
        """Up to `limit` dead letters, those that died first first.

        Raises:
            StorageUnavailable: the storage did not answer.
        """
        ...

    async def retry_dead(self) -> int:
        """Makes all dead letters wait for delivery again; how many there were.

        Raises:
            StorageUnavailable: nothing changed.
        """
        ...
