"""The answers that are kept for idempotency keys."""

from collections.abc import Iterable
from datetime import datetime

from attrs import define, evolve, field, frozen

from automation_retry.application import (
    IdempotencyKey,
    IdempotencyKeyReused,
    RequestInProgress,
)
from automation_retry.application.ports import HELD_FOR, IdempotencyKeys, Reservation
from automation_retry.domain import Execution, Json


@frozen
class _Retried:
    """The record of a single retry."""

    at: datetime
    execution: Execution


@frozen
class _Reserved:
    """The record of another request."""

    at: datetime
    reservation: Reservation
    request: str
    held_until: datetime
    answer: Json | None = None


@define(eq=False)
class IdempotencyRecords:
    """What became of requests. No method awaits, so each is atomic among tasks."""

    _kept: dict[IdempotencyKey, _Retried | _Reserved] = field(init=False, factory=dict)

    def find(self, key: IdempotencyKey, since: datetime) -> Execution | None:
        """The answer of a retry after `since`; an older one is removed.

        Raises IdempotencyKeyReused for the key of another request.
        """
        kept = self._young(key, since)
        if isinstance(kept, _Reserved):
            raise IdempotencyKeyReused(key.text)
        return None if kept is None else kept.execution

    def _young(self, key: IdempotencyKey, since: datetime) -> _Retried | _Reserved | None:
        kept = self._kept.get(key)
        if kept is not None and kept.at <= since:
            del self._kept[key]
            return None
        return kept

    def any_kept(self, keys: Iterable[IdempotencyKey]) -> bool:
        """Whether one of the keys has a record already."""
        return not self._kept.keys().isdisjoint(keys)

    def add(self, key: IdempotencyKey, execution: Execution, retried_at: datetime) -> None:
        self._kept[key] = _Retried(retried_at, execution)

    def reserve(
        self, wanted: Reservation, request: str, *, at: datetime, since: datetime, now: datetime
    ) -> Reservation | Json:
        """See `KeptAnswers.reserve`."""
        match self._young(wanted.key, since):
            case _Reserved(request=same, answer=Json() as answer) if same == request:
                return answer
            case _Reserved(answer=None, held_until=until) as kept if until <= now:
                if kept.request == request:
                    wanted = evolve(wanted, id=kept.reservation.id)
            case _Reserved(request=same) if same == request:
                raise RequestInProgress(wanted.key.text)
            case None:
                pass
            case _:
                raise IdempotencyKeyReused(wanted.key.text)
        self._kept[wanted.key] = _Reserved(at, wanted, request, now + HELD_FOR)
        return wanted

    def held(self, reservation: Reservation) -> _Reserved | None:
        """The record of a reservation that has no answer and was not taken over."""
        kept = self._kept.get(reservation.key)
        if not isinstance(kept, _Reserved) or kept.answer is not None:
            return None
        return kept if kept.reservation == reservation else None

    def keep(self, reservation: Reservation, answer: Json) -> None:
        if kept := self.held(reservation):
            self._kept[reservation.key] = evolve(kept, answer=answer)

    def release(self, reservation: Reservation) -> None:
        if self.held(reservation):
            del self._kept[reservation.key]

    def give_up(self, reservation: Reservation, now: datetime) -> None:
        if kept := self.held(reservation):
            self._kept[reservation.key] = evolve(kept, held_until=now)

    def remove(self, before: datetime, limit: int) -> int:
        old = [key for key, kept in self._kept.items() if kept.at <= before][:limit]
        for key in old:
            del self._kept[key]
        return len(old)


@frozen
class MemoryIdempotencyKeys(IdempotencyKeys):
    records: IdempotencyRecords

    async def remove(self, before: datetime, limit: int) -> int:
        return self.records.remove(before, limit)
