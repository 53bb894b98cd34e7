import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from uuid import UUID

from attrs import frozen
from psycopg.rows import DictRow

from automation_retry.adapters.json_codec import message_from
from automation_retry.adapters.postgres import statements
from automation_retry.adapters.postgres.database import Connection, Database
from automation_retry.adapters.postgres.rows import from_row
from automation_retry.application import Message, MessageKind
from automation_retry.application.ports import Backlog, Claim, DeadLetter, Outbox


@frozen
class PostgresClaim(Claim):
    """Rows locked by one transaction."""

    messages: Sequence[Message]
    _kind: MessageKind
    _connection: Connection
    _rows: Mapping[UUID, DictRow]
    """By the message's id."""

    async def delivered(self, ids: Sequence[UUID]) -> None:
        await self._connection.execute(
            statements.DELIVERED, {"places": [self._rows[id_]["place"] for id_ in ids]}
        )

    async def refused(self, message_id: UUID, reason: str) -> None:
        row = self._rows[message_id]
        await self._connection.execute(
            statements.REFUSED,
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

    The transaction ends with the process, so nothing stays claimed by the dead.
    """

    database: Database

    @contextlib.asynccontextmanager
    async def claim(self, kind: MessageKind, limit: int) -> AsyncIterator[PostgresClaim]:
        async with self.database.claiming() as connection:
            await connection.execute(statements.BY_INDEX)
            cursor = await connection.execute(
                statements.CLAIM, {"kind": kind.value, "limit": limit}
            )
            rows = await cursor.fetchall()
            messages: list[Message] = []
            unreadable: dict[UUID, str] = {}
            for row in rows:
                try:
                    messages.append(message_from(kind, row["body"]))
                except Exception as error:  # noqa: BLE001 - whatever is wrong with it, set it aside
                    unreadable[row["id"]] = f"cannot be read: {error!r}"
            claim = PostgresClaim(messages, kind, connection, {row["id"]: row for row in rows})
            for message_id, reason in unreadable.items():
                await claim.refused(message_id, reason)
            yield claim

    async def backlog(self) -> Sequence[Backlog]:
        found = {
            row["kind"]: from_row(row, Backlog)
            for row in await self.database.fetch(statements.BACKLOG, {})
        }
        return [
            found.get(kind.value) or Backlog(kind=kind, waiting=0, oldest_at=None, dead=0)
            for kind in MessageKind
        ]

    async def dead_letters(self, limit: int) -> Sequence[DeadLetter]:
        rows = await self.database.fetch(statements.DEAD_LETTERS, {"limit": limit})
        return [from_row(row, DeadLetter) for row in rows]

    async def retry_dead(self) -> int:
        async with self.database.connection() as connection:
            return (await connection.execute(statements.RETRY_DEAD)).rowcount
