from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Final, Protocol
from uuid import UUID

from attrs import frozen

from automation_retry.application.idempotency import IdempotencyKey
from automation_retry.domain import Json

HELD_FOR: Final = timedelta(seconds=60)
"""After this time without an answer, the process that holds a reservation is taken for dead."""


@frozen(kw_only=True)
class Reservation:
    """The right to answer the request with an idempotency key, which one caller has at a time."""

    key: IdempotencyKey
    id: UUID
    """Marks what is written under it; whoever takes the same request over has the same id."""
    holder: UUID
    """New for each who takes it over."""

    @property
    def taken_over(self) -> bool:
        """Whether an earlier holder ended without an answer, and may have written something."""
        return self.holder != self.id


class KeptAnswers(Protocol):
    """Answers to requests with an idempotency key, other than the retry of one execution.

    Those share their keys: a key of one kind of request is used for all others.
    """

    async def reserve(
        self, wanted: Reservation, request: str, *, at: datetime, since: datetime
    ) -> Reservation | Json:
        """A reservation of the key, or the answer that is kept for the same request.

        `request` says what is asked for; equal texts are the same request. `wanted` has a new id,
        which is also its holder. A key whose record is from `since` or earlier is free. So is one
        whose holder gave it up, or has had it for longer than `HELD_FOR`; then `wanted` gets its id
        if the request is the same.

        Raises:
            IdempotencyKeyReused: the key belongs to another request.
            RequestInProgress: the key belongs to the same request, which somebody is working on.
            StorageUnavailable: the storage did not answer; the key may be reserved.
        """
        ...

    async def keep(self, reservation: Reservation, answer: Json) -> None:
        """Keeps the text of the answer; does nothing if somebody has taken the reservation over.

        Raises:
            StorageUnavailable: it may be kept or not.
        """
        ...

    async def release(self, reservation: Reservation) -> None:
        """Removes the reservation, as if there had been no request.

        Raises:
            StorageUnavailable: it may be removed or not.
        """
        ...

    async def give_up(self, reservation: Reservation) -> None:
        """Lets somebody else take the reservation over at once.

        Raises:
            StorageUnavailable: it may be given up or not.
        """
        ...

    async def retried_under(
        self, reservation: Reservation, execution_ids: Collection[UUID]
    ) -> Mapping[UUID, int]:
        """Which of the executions were retried under the reservation, with the attempt's number.

        Raises:
            StorageUnavailable: the storage did not answer.
        """
        ...
