from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from attrs import frozen
from psycopg.rows import DictRow

from automation_retry.adapters.postgres.connection import Connection
from automation_retry.adapters.postgres.database import Database
from automation_retry.adapters.postgres.sql import outbox as sql
from automation_retry.application import Message, MessageKind
from automation_retry.application.ports import (
    DEAD_COUNTED,
    Backlog,
    Claim,
    DeadLetter,
    DeliveryFailure,
    DeliveryStatus,
    Outbox,
)


def _message(kind: MessageKind, row: Mapping[str, Any]) -> Message:
    return Message(
        id=row["id"],
        kind=kind,
        tenant=row["tenant"],
        execution_id=row["execution_id"],
        attempt=row["attempt"],
        body=row["body"],
    )


def _status(row: Mapping[str, Any]) -> DeliveryStatus:
    failure = None
    if row["reason"] is not None:
        failure = DeliveryFailure(reason=row["reason"], age_s=row["failed_age_s"])
    return DeliveryStatus(
        kind=MessageKind(row["kind"]),
        oldest_age_s=row["oldest_age_s"],
        dead=row["dead"],
        failure=failure,
    )


@frozen
class PostgresClaim(Claim):
    """Rows that one transaction has locked."""

    messages: Sequence[Message]
    _kind: MessageKind
    _connection: Connection
    _rows: Mapping[UUID, DictRow]
    """By the message's id."""

    async def acknowledge(self, ids: Sequence[UUID]) -> None:
        await self._connection.execute(
            sql.ACKNOWLEDGE, {"places": [self._rows[id_]["place"] for id_ in ids]}
        )

    async def dead_letter(self, message_id: UUID, reason: str) -> None:
        row = self._rows[message_id]
        await self._connection.execute(
            sql.DEAD_LETTER,
            {
                "kind": self._kind.value,
                "tenant": row["tenant"],
                "execution_id": row["execution_id"],
                "attempt": row["attempt"],
                "reason": reason,
            },
        )


@frozen
class PostgresOutbox(Outbox):
    """The table `automation_outbox`; a claim is a transaction that holds its rows locked.

    The transaction ends with the process, so claims are released when the process dies.
    """

    database: Database

    @asynccontextmanager
    async def claim(self, kind: MessageKind, limit: int) -> AsyncIterator[PostgresClaim]:
        async with self.database.claiming() as connection:
            await connection.execute(sql.PLAN_WITH_INDEXES)
            cursor = await connection.execute(sql.CLAIM, {"kind": kind.value, "limit": limit})
            rows = await cursor.fetchall()
            messages = [_message(kind, row) for row in rows]
            yield PostgresClaim(messages, kind, connection, {row["id"]: row for row in rows})

    async def backlog(self) -> Sequence[Backlog]:
        found = {
            row["kind"]: Backlog(**row | {"kind": MessageKind(row["kind"])})
            for row in await self.database.fetch(sql.BACKLOG, {})
        }
        return [
            found.get(kind.value) or Backlog(kind=kind, waiting=0, oldest_at=None, dead=0)
            for kind in MessageKind
        ]

    async def status(self) -> Sequence[DeliveryStatus]:
        async with self.database.connection() as connection, connection.transaction():
            await connection.execute(sql.PLAN_WITH_INDEXES)
            cursor = await connection.execute(
                sql.STATUS,
                {"kinds": [kind.value for kind in MessageKind], "dead_counted": DEAD_COUNTED},
            )
            return [_status(row) for row in await cursor.fetchall()]

    async def note_failure(self, kind: MessageKind, reason: str) -> None:
        await self.database.execute(sql.NOTE_FAILURE, {"kind": kind.value, "reason": reason})

    async def clear_failure(self, kind: MessageKind) -> None:
        await self.database.execute(sql.CLEAR_FAILURE, {"kind": kind.value})

    async def dead_letters(self, limit: int) -> Sequence[DeadLetter]:
        rows = await self.database.fetch(sql.DEAD_LETTERS, {"limit": limit})
        return [
            DeadLetter(message=_message(MessageKind(row["kind"]), row), reason=row["reason"])
            for row in rows
        ]

    async def redrive(self) -> int:
        return await self.database.execute(sql.REDRIVE, {})
