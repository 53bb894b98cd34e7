import contextlib
from collections.abc import AsyncIterator, Sequence
from uuid import UUID

from attrs import field, frozen

from adapters.json_codec import message_from
from adapters.postgres import statements
from adapters.postgres.database import Connection, Database
from adapters.postgres.rows import from_row
from application import Message, MessageKind
from application.ports import Backlog, Claim, DeadLetter, Outbox


@frozen
class PostgresClaim(Claim):
    """Rows locked by one transaction."""

    messages: Sequence[Message]
    _connection: Connection
    _tenants: dict[UUID, UUID] = field(factory=dict)

    async def delivered(self, ids: Sequence[UUID]) -> None:
        await self._connection.execute(
            statements.DELIVERED, {"tenants": [self._tenants[id_] for id_ in ids], "ids": list(ids)}
        )

    async def refused(self, message_id: UUID, reason: str) -> None:
        await self._connection.execute(
            statements.REFUSED,
            {"tenant": self._tenants[message_id], "id": message_id, "reason": reason},
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
            await connection.execute(statements.CLAIM_IN_ORDER_OF_INDEX)
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
            claim = PostgresClaim(messages, connection, {row["id"]: row["tenant"] for row in rows})
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
