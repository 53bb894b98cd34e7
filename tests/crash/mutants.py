"""The service with one planted bug each, to prove that the audit sees each of them.

Each bug is an adapter that the container of a service process uses in the place of the real one.
The production code is not changed.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, LiteralString
from uuid import UUID, uuid4

import orjson
from attrs import evolve, frozen

from automation_retry.adapters.postgres import Database, PostgresUnitOfWork
from automation_retry.adapters.postgres.connection import Connection
from automation_retry.adapters.postgres.rows import message_records
from automation_retry.adapters.postgres.sql import unit_of_work as sql
from automation_retry.adapters.postgres.sql.outbox import ACKNOWLEDGE
from automation_retry.adapters.procrastinate.hand_over import HAND_OVER
from automation_retry.adapters.wire.messages import body_of
from automation_retry.application import Message, MessageKind
from automation_retry.application.ports import Broker, CommitOutcome, Outbox
from tests.crash import scenarios
from tests.crash.audit import Rule
from tests.crash.pass_through import PassThrough
from tests.crash.scenarios import Scenario
from tests.crash.silent_bugs import log_calls_raise, wait_without_bound

_ADD_MESSAGES: Final = """
INSERT INTO automation_outbox (tenant, id, kind, execution_id, attempt, body)
SELECT m.tenant, m.id, m.kind, m.execution_id, m.attempt, m.body
FROM jsonb_to_recordset(%(messages)s) AS m (
    tenant uuid, id uuid, kind text, execution_id uuid, attempt integer, body jsonb
)
"""


class EventAfterCommit(PostgresUnitOfWork):
    """Writes the event after the commit of the retry: a process that dies in between loses it."""

    async def commit(self, *, wait: bool = True) -> CommitOutcome:
        staged = self.queue.messages
        events = [message for message in staged if message.kind is MessageKind.EVENT]
        staged[:] = [message for message in staged if message.kind is MessageKind.JOB]
        outcome = await super().commit(wait=wait)
        won = [event for event in events if event.execution_id in outcome.committed]
        async with self._database.connection() as connection:
            await connection.execute(_ADD_MESSAGES, {"messages": message_records(won)})
        return outcome


_MESSAGES: Final = """
WITH message AS (
    SELECT m.kind, m.body FROM jsonb_to_recordset(%(messages)s) AS m (kind text, body jsonb)
)
"""


class HandedOverAfterCommit(PostgresUnitOfWork):
    """Hands over after the commit of the retry: a process that dies in between loses both."""

    async def commit(self, *, wait: bool = True) -> CommitOutcome:
        staged = [*self.queue.messages]
        self.queue.messages.clear()
        outcome = await super().commit(wait=wait)
        won = [message for message in staged if message.execution_id in outcome.committed]
        async with self._database.connection() as connection:
            query = HAND_OVER[MessageKind.JOB]  # the same for both kinds
            await connection.execute(_MESSAGES + query, {"messages": message_records(won)})
        return outcome


def _commit_without(name: str, part: str, instead: str = "") -> Callable[[], None]:
    """Removes a part of the statement that commits."""

    def plant() -> None:
        text: str = getattr(sql, name)
        assert text.count(part) == 1
        setattr(sql, name, text.replace(part, instead))

    return plant


@frozen
class _Settled:
    """A claim whose messages are removed already."""

    messages: Sequence[Message]

    async def acknowledge(self, ids: Sequence[UUID]) -> None:
        pass


class RemovedBeforeSent(PassThrough):
    """Removes messages and commits, then sends them: a relay that dies in between loses them."""

    def __init__(self, outbox: Outbox, _: Database) -> None:
        super().__init__(outbox)

    @asynccontextmanager
    async def claim(self, kind: MessageKind, limit: int) -> AsyncIterator[_Settled]:
        async with self._inner.claim(kind, limit) as claim:
            await claim.acknowledge([message.id for message in claim.messages])
            messages = claim.messages
        yield _Settled(messages)


_POSITIONS: Final = """
ALTER TABLE automation_outbox ADD COLUMN position bigserial;
CREATE TABLE relay_cursor (kind text PRIMARY KEY, position bigint NOT NULL);
INSERT INTO relay_cursor VALUES ('job', 0), ('event', 0);
"""
_SEEN: Final = "SELECT position FROM relay_cursor WHERE kind = %(kind)s FOR UPDATE"
_BEYOND: Final = """
SELECT ctid AS place, position, tenant, id, execution_id, attempt, body::text AS body
FROM automation_outbox
WHERE kind = %(kind)s AND position > %(seen)s ORDER BY position LIMIT %(limit)s
"""
_MOVE: Final = "UPDATE relay_cursor SET position = %(position)s WHERE kind = %(kind)s"


@frozen
class _ClaimBeyond:
    kind: MessageKind
    rows: Sequence[Any]
    connection: Connection

    @property
    def messages(self) -> Sequence[Message]:
        return [
            Message(
                id=row["id"],
                kind=self.kind,
                tenant=row["tenant"],
                execution_id=row["execution_id"],
                attempt=row["attempt"],
                body=row["body"],
            )
            for row in self.rows
        ]

    async def acknowledge(self, _: Sequence[UUID]) -> None:
        places = [row["place"] for row in self.rows]
        await self.connection.execute(ACKNOWLEDGE, {"places": places})
        seen = {"kind": self.kind.value, "position": self.rows[-1]["position"]}
        await self.connection.execute(_MOVE, seen)


class Cursor(PassThrough):
    """Reads beyond the last position that it saw: a lower one that is committed later is lost."""

    def __init__(self, outbox: Outbox, database: Database) -> None:
        super().__init__(outbox)
        self._database = database

    @asynccontextmanager
    async def claim(self, kind: MessageKind, limit: int) -> AsyncIterator[_ClaimBeyond]:
        async with self._database.claiming() as connection:
            seen = await (await connection.execute(_SEEN, {"kind": kind.value})).fetchone()
            assert seen is not None
            beyond = await connection.execute(
                _BEYOND, {"kind": kind.value, "limit": limit, "seen": seen["position"]}
            )
            yield _ClaimBeyond(kind, await beyond.fetchall(), connection)


class BrokerWithoutIds(PassThrough):
    """Sends messages with a new id each time: nobody can recognise a redelivery."""

    async def send(self, messages: Sequence[Message]) -> None:
        await self._inner.send([_with_new_id(message) for message in messages])


def _with_new_id(message: Message) -> Message:
    new_id = uuid4()
    body = orjson.dumps(body_of(message) | {"id": new_id}).decode()
    return evolve(message, id=new_id, body=body)


@frozen(kw_only=True)
class Bug:
    """What replaces the real adapters; by default nothing."""

    prepare: LiteralString = ""
    """SQL that changes the schema, as the bug requires."""
    unit_of_work: type[PostgresUnitOfWork] = PostgresUnitOfWork
    outbox: Callable[[Outbox, Database], Any] = lambda outbox, _: outbox
    broker: Callable[[Broker], Any] = lambda broker: broker
    plant: Callable[[], None] = lambda: None
    """Replaces what no adapter is, in the new process."""


NO_BUG: Final = Bug()

# The constraints of the real schema prevent the duplicates that this bug writes.
_NOTHING_UNIQUE: Final = """
ALTER TABLE automation_failed_attempts DROP CONSTRAINT automation_failed_attempts_pkey;
ALTER TABLE automation_outbox DROP CONSTRAINT automation_outbox_one_of_each_kind;
"""


_BY_OUTBOX: Final = frozenset({"redis", "nats"})
_BY_COMMIT: Final = frozenset({"procrastinate"})


@frozen
class Mutant:
    """One planted bug, and the scenario that must show it."""

    bug: Bug
    scenario: Scenario
    breaks: Rule
    """The rule under which it must be reported."""
    brokers: frozenset[str] = _BY_OUTBOX | _BY_COMMIT
    """Those with which it is a bug."""


MUTANTS: Final = {
    "event-after-commit": Mutant(
        Bug(unit_of_work=EventAfterCommit),
        scenarios.API_DIES_AFTER_COMMIT,
        Rule.LOST_MESSAGE,
        _BY_OUTBOX,
    ),
    "handed-over-after-commit": Mutant(
        Bug(unit_of_work=HandedOverAfterCommit),
        scenarios.API_DIES_AFTER_COMMIT,
        Rule.LOST_MESSAGE,
        _BY_COMMIT,
    ),
    "lost-race-handed-over": Mutant(
        Bug(
            plant=_commit_without(
                "_MESSAGES", "    JOIN updated USING (tenant, execution_id, attempt)\n"
            )
        ),
        scenarios.SIMULTANEOUS_RETRIES,
        Rule.TWO_IDS,
        _BY_COMMIT,
    ),
    "function-not-referred-to": Mutant(
        Bug(
            plant=_commit_without(
                "_HANDED_OVER", ", (SELECT h.handed_over FROM {name} h) AS {name}"
            )
        ),
        # No execution runs again, so no more retries come of waiting longer.
        evolve(scenarios.SIMULTANEOUS_RETRIES, seconds=5.0, settles_within=10.0),
        Rule.LOST_MESSAGE,
        _BY_COMMIT,
    ),
    "sent-before-published": Mutant(
        Bug(outbox=RemovedBeforeSent),
        scenarios.RELAY_DIES_AFTER_CLAIM,
        Rule.LOST_MESSAGE,
        _BY_OUTBOX,
    ),
    "cursor": Mutant(
        Bug(outbox=Cursor, prepare=_POSITIONS),
        scenarios.LATE_COMMITS,
        Rule.STRANDED,
        _BY_OUTBOX,
    ),
    "no-message-id": Mutant(
        Bug(broker=BrokerWithoutIds),
        scenarios.RELAY_DIES_AFTER_SEND,
        Rule.TWO_IDS,
        _BY_OUTBOX,
    ),
    "swap-without-compare": Mutant(
        Bug(
            plant=_commit_without(
                "_LOCK",
                "x.status::text = 'failed' AND coalesce(x.retry_count, 0) = c.before_count",
                "true",
            ),
            prepare=_NOTHING_UNIQUE,
        ),
        scenarios.SIMULTANEOUS_RETRIES,
        Rule.PROMISED_TWICE,
    ),
    "deadline-on-server-only": Mutant(
        Bug(plant=wait_without_bound),
        scenarios.CONNECTIONS_FREEZE,
        Rule.UNANSWERED,
    ),
    "log-call-raises": Mutant(
        Bug(plant=log_calls_raise),
        scenarios.LOG_DEVICE_FULL,
        Rule.LOST_MESSAGE,
        _BY_OUTBOX,
    ),
}
