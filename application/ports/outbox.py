from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol
from uuid import UUID

from application.messages import Message, MessageKind


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
