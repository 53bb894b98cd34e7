from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Final, Protocol
from uuid import UUID

from attrs import frozen

from automation_retry.application.messages import Message, MessageKind


class Claim(Protocol):
    """Messages claimed by one relay. What is not settled when the context ends is released."""

    messages: Sequence[Message]
    """All of one kind, oldest first, at most one of each execution."""

    async def acknowledge(self, ids: Sequence[UUID]) -> None:
        """Removes messages that the broker acknowledged.

        Raises:
            StorageUnavailable: they will be claimed and sent again.
        """
        ...

    async def dead_letter(self, message_id: UUID, reason: str) -> None:
        """Turns a message into a dead letter, with the broker's reason; it blocks no other.

        Raises:
            StorageUnavailable: it will be claimed again.
        """
        ...


@frozen(kw_only=True)
class Backlog:
    """The messages of one kind in the outbox."""

    kind: MessageKind
    waiting: int
    """Committed and not yet delivered."""
    oldest_at: datetime | None
    """When the oldest of the waiting was committed."""
    dead: int
    """The number of dead letters."""


@frozen(kw_only=True)
class DeliveryFailure:
    """The last failure to deliver messages of one kind."""

    reason: str
    age_s: float
    """Seconds since then, by the storage's clock."""


@frozen(kw_only=True)
class DeliveryStatus:
    """The state of the delivery of one kind of messages."""

    kind: MessageKind
    oldest_age_s: float | None
    """Seconds since the oldest waiting message was committed, by the storage's clock; None if none
    waits."""
    dead: int
    """The number of dead letters; counted up to `DEAD_COUNTED`."""
    failure: DeliveryFailure | None
    """None when the last delivery succeeded."""


DEAD_COUNTED: Final = 100


@frozen(kw_only=True)
class DeadLetter:
    """A message that a broker refused, and its reason."""

    message: Message
    reason: str


class Outbox(Protocol):
    """Committed messages that are not yet delivered."""

    def claim(self, kind: MessageKind, limit: int) -> AbstractAsyncContextManager[Claim]:
        """Claims up to `limit` messages of a kind for the caller alone.

        Skips what is claimed elsewhere and never waits for it. A message is claimed only after
        those of earlier attempts of the same execution and kind were delivered or dead-lettered.
        What was settled is committed when the context ends without an error; after an error, or
        the death of the process, everything is released.

        Raises:
            StorageUnavailable: the storage did not answer.
        """
        ...

    async def backlog(self) -> Sequence[Backlog]:
        """The number of waiting messages and of dead letters of each kind.

        Raises:
            StorageUnavailable: the storage did not answer.
        """
        ...

    async def status(self) -> Sequence[DeliveryStatus]:
        """The status of each kind; O(1) in the backlog.

        Raises:
            StorageUnavailable: the storage did not answer.
        """
        ...

    async def note_failure(self, kind: MessageKind, reason: str) -> None:
        """Stores why messages of a kind could not be delivered; `status` returns the latest reason.

        Raises:
            StorageUnavailable: the storage did not answer.
        """
        ...

    async def clear_failure(self, kind: MessageKind) -> None:
        """Removes the stored reason of a kind, after a successful delivery.

        Raises:
            StorageUnavailable: the storage did not answer.
        """
        ...

    async def dead_letters(self, limit: int) -> Sequence[DeadLetter]:
        """Up to `limit` dead letters, the oldest first.

        Raises:
            StorageUnavailable: the storage did not answer.
        """
        ...

    async def redrive(self) -> int:
        """Makes all dead letters wait for delivery again; returns their number.

        Raises:
            StorageUnavailable: nothing changed.
        """
        ...
