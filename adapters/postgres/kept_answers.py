from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from attrs import evolve, frozen
from psycopg.types.json import Jsonb

from automation_retry.adapters.postgres.database import Database
from automation_retry.adapters.postgres.sql import kept_answers as sql
from automation_retry.application import (
    IdempotencyKey,
    IdempotencyKeyReused,
    RequestInProgress,
)
from automation_retry.application.ports import HELD_FOR, KeptAnswers, Reservation
from automation_retry.domain import Json

_NIL = UUID(int=0)


@frozen
class PostgresKeptAnswers(KeptAnswers):
    """The table `automation_idempotency_keys`, and what is marked in `automation_failed_attempts`.

    How long a reservation is held goes by the clock of the database.
    """

    database: Database

    async def reserve(
        self, wanted: Reservation, request: str, *, at: datetime, since: datetime
    ) -> Reservation | Json:
        key = _key(wanted.key)
        while True:
            reserved = await self.database.fetch(
                sql.RESERVE,
                {
                    **key,
                    "at": at,
                    "since": since,
                    "id": wanted.id,
                    "placeholder": Jsonb(_placeholder(wanted)),
                    "request": request,
                    "held_for": HELD_FOR,
                },
            )
            if reserved:
                return evolve(wanted, id=reserved[0]["reservation_id"])
            if kept := await self.database.fetch(sql.KEPT, key):
                return _answer(wanted.key, request, **kept[0])
            # Released in between, or expired and removed.

    async def keep(self, reservation: Reservation, answer: Json) -> None:
        await self.database.execute(sql.KEEP, {**_held(reservation), "answer": answer.text})

    async def release(self, reservation: Reservation) -> None:
        await self.database.execute(sql.RELEASE, _held(reservation))

    async def give_up(self, reservation: Reservation) -> None:
        await self.database.execute(sql.GIVE_UP, _held(reservation))

    async def retried_under(
        self, reservation: Reservation, execution_ids: Collection[UUID]
    ) -> Mapping[UUID, int]:
        rows = await self.database.fetch(
            sql.RETRIED_UNDER,
            {
                "tenant": reservation.key.tenant,
                "execution_ids": [*execution_ids],
                "id": reservation.id,
            },
        )
        return {row["execution_id"]: row["attempt"] for row in rows}


def _answer(key: IdempotencyKey, wanted: str, *, request: str | None, answer: str | None) -> Json:
    if request != wanted:
        raise IdempotencyKeyReused(key.text)
    if answer is None:
        raise RequestInProgress(key.text)
    return Json(answer)


def _key(key: IdempotencyKey) -> dict[str, Any]:
    return {"tenant": key.tenant, "caller": key.caller, "key": key.text}


def _held(reservation: Reservation) -> dict[str, Any]:
    return {**_key(reservation.key), "holder": reservation.holder}


def _placeholder(reservation: Reservation) -> dict[str, Any]:
    """What processes of version 0.1 read as the answer of another execution."""
    return {
        "tenant": reservation.key.tenant,
        "execution_id": reservation.id,
        "automation_rule_id": _NIL,
        "status": "pending",
        "actions_total": 0,
        "retry_count": 0,
    }
