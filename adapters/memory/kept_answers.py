from collections.abc import Collection, Mapping
from datetime import datetime
from uuid import UUID

from attrs import frozen

from automation_retry.adapters.memory.store import MemoryStore
from automation_retry.application.ports import Clock, KeptAnswers, Reservation
from automation_retry.domain import Json


@frozen
class MemoryKeptAnswers(KeptAnswers):
    store: MemoryStore
    clock: Clock

    async def reserve(
        self, wanted: Reservation, request: str, *, at: datetime, since: datetime
    ) -> Reservation | Json:
        return self.store.answers.reserve(wanted, request, at=at, since=since, now=self.clock())

    async def keep(self, reservation: Reservation, answer: Json) -> None:
        self.store.answers.keep(reservation, answer)

    async def release(self, reservation: Reservation) -> None:
        self.store.answers.release(reservation)

    async def give_up(self, reservation: Reservation) -> None:
        self.store.answers.give_up(reservation, self.clock())

    async def retried_under(
        self, reservation: Reservation, execution_ids: Collection[UUID]
    ) -> Mapping[UUID, int]:
        made = self.store.retried_under(reservation.key.tenant, reservation.id)
        return {one: attempt for one, attempt in made.items() if one in execution_ids}
