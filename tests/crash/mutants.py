"""The service with one planted bug each, to prove that the harness sees what it is there to see.

Each bug stands in an adapter of its own, put in the place of the real one by the container of a
service process. Nothing of the production code is changed.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, LiteralString
from uuid import UUID, uuid4

from attrs import evolve, field, frozen
from psycopg.types.json import Jsonb

from automation_retry.adapters.json_codec import converter, message_from
from automation_retry.adapters.postgres import Database, PostgresUnitOfWork, statements
from automation_retry.adapters.postgres.database import Connection
from automation_retry.adapters.postgres.rows import message_records
from automation_retry.application import (
    ExecutionJob,
    IdempotencyKey,
    Message,
    MessageKind,
    RetriedEvent,
)
from automation_retry.application.ports import EventBus, ExecutionQueue, Outbox
from automation_retry.domain import Retry
from tests.crash import scenarios
from tests.crash.audit import Rule
from tests.crash.pass_through import PassThrough
from tests.crash.scenarios import Scenario

_ADD_MESSAGES: Final = """
INSERT INTO automation_outbox (tenant, id, kind, execution_id, attempt, body)
SELECT m.* FROM jsonb_to_recordset(%(messages)s) AS m (
    tenant uuid, id uuid, kind text, execution_id uuid, attempt integer, body jsonb
)
"""


class EventAfterCommit(PostgresUnitOfWork):
    """Writes the event when the retry is committed: what dies in between never tells anybody."""

    async def commit(self) -> frozenset[UUID]:
        staged = self.queue.messages
        events = [message for message in staged if isinstance(message, RetriedEvent)]
        staged[:] = [message for message in staged if isinstance(message, ExecutionJob)]
        lost = await super().commit()
        won = [event for event in events if event.retried.execution_id not in lost]
        async with self._database.connection() as connection:
            await connection.execute(_ADD_MESSAGES, {"messages": message_records(won)})
        return lost


_BLIND_SWAP: Final = """
WITH swapped AS (
    UPDATE automation_executions e
    SET status = n.status, started_at = n.started_at, completed_at = n.completed_at,
        duration_ms = n.duration_ms, actions_successful = n.actions_successful,
        actions_failed = n.actions_failed, error_message = n.error_message,
        error_stack = n.error_stack, failed_action_index = n.failed_action_index,
        retry_count = n.retry_count
    FROM jsonb_populate_recordset(NULL::automation_executions, %(executions)s) n
    WHERE e.tenant = n.tenant AND e.execution_id = n.execution_id
), archived AS (
    INSERT INTO automation_failed_attempts
    SELECT * FROM jsonb_populate_recordset(NULL::automation_failed_attempts, %(attempts)s)
)
"""


class SwapWithoutCompare(PostgresUnitOfWork):
    """Resets whatever the row holds by now: all of several concurrent retries succeed."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._decided: list[Retry] = []

    def record(self, retry: Retry, key: IdempotencyKey | None = None) -> None:  # noqa: ARG002
        self._decided.append(retry)

    async def commit(self) -> frozenset[UUID]:
        decided = self._decided
        async with self._database.connection() as connection:
            await connection.execute(
                _BLIND_SWAP + _ADD_MESSAGES,
                {
                    "executions": Jsonb([converter.unstructure(one.execution) for one in decided]),
                    "attempts": Jsonb(
                        [converter.unstructure(one.failed_attempt) for one in decided]
                    ),
                    "messages": message_records(self.queue.messages),
                },
            )
        return frozenset()


@frozen
class _Settled:
    """A claim with nothing left to settle."""

    messages: Sequence[Message]

    async def delivered(self, ids: Sequence[UUID]) -> None:
        pass


class SentBeforePublished(PassThrough):
    """Deletes and commits first, then publishes: what dies in between is gone."""

    def __init__(self, outbox: Outbox, _: Database) -> None:
        super().__init__(outbox)

    @asynccontextmanager
    async def claim(self, kind: MessageKind, limit: int) -> AsyncIterator[_Settled]:
        async with self._inner.claim(kind, limit) as claim:
            await claim.delivered([message.id for message in claim.messages])
            messages = claim.messages
        yield _Settled(messages)


_POSITIONS: Final = """
ALTER TABLE automation_outbox ADD COLUMN position bigserial;
CREATE TABLE relay_cursor (kind text PRIMARY KEY, position bigint NOT NULL);
INSERT INTO relay_cursor VALUES ('job', 0), ('event', 0);
"""
_SEEN: Final = "SELECT position FROM relay_cursor WHERE kind = %(kind)s FOR UPDATE"
_BEYOND: Final = """
SELECT ctid AS place, body, position FROM automation_outbox
WHERE kind = %(kind)s AND position > %(seen)s ORDER BY position LIMIT %(limit)s
"""
_MOVE: Final = "UPDATE relay_cursor SET position = %(position)s WHERE kind = %(kind)s"


@frozen
class _ClaimBeyond:
    kind: MessageKind
    rows: Sequence[Any]
    connection: Connection
    messages: Sequence[Message] = field(init=False)

    @messages.default
    def _read(self) -> Sequence[Message]:
        return [message_from(self.kind, row["body"]) for row in self.rows]

    async def delivered(self, _: Sequence[UUID]) -> None:
        places = [row["place"] for row in self.rows]
        await self.connection.execute(statements.DELIVERED, {"places": places})
        seen = {"kind": self.kind.value, "position": self.rows[-1]["position"]}
        await self.connection.execute(_MOVE, seen)


class Cursor(PassThrough):
    """Reads what stands beyond the last position seen: a lower one that commits later is lost."""

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


class QueueWithoutIds(PassThrough):
    """Gives each hand-over an id of its own: nobody can tell that the second one is the first."""

    async def enqueue(self, jobs: Sequence[ExecutionJob]) -> None:
        await self._inner.enqueue([evolve(job, id=uuid4()) for job in jobs])


class BusWithoutIds(PassThrough):
    """As `QueueWithoutIds`."""

    async def publish(self, events: Sequence[RetriedEvent]) -> None:
        await self._inner.publish([evolve(event, id=uuid4()) for event in events])


@frozen(kw_only=True)
class Bug:
    """What is put in the place of the real adapters; by default nothing."""

    prepare: LiteralString = ""
    """SQL that its database needs, as such a bug would come with a schema of its own."""
    unit_of_work: type[PostgresUnitOfWork] = PostgresUnitOfWork
    outbox: Callable[[Outbox, Database], Any] = lambda outbox, _: outbox
    queue: Callable[[ExecutionQueue], Any] = lambda queue: queue
    bus: Callable[[EventBus], Any] = lambda bus: bus


NO_BUG: Final = Bug()

# The real schema forbids the doubles that the real statement cannot make.
_NOTHING_UNIQUE: Final = """
ALTER TABLE automation_failed_attempts DROP CONSTRAINT automation_failed_attempts_pkey;
ALTER TABLE automation_outbox DROP CONSTRAINT automation_outbox_one_of_each_kind;
"""


@frozen
class Mutant:
    """One planted bug, and the scenario that must show it."""

    bug: Bug
    scenario: Scenario
    breaks: Rule
    """What is seen of it; to break something else is not to be caught."""


MUTANTS: Final = {
    "event-after-commit": Mutant(
        Bug(unit_of_work=EventAfterCommit),
        scenarios.API_DIES_AFTER_COMMIT,
        Rule.LOST_MESSAGE,
    ),
    "sent-before-published": Mutant(
        Bug(outbox=SentBeforePublished),
        scenarios.RELAY_DIES_AFTER_CLAIM,
        Rule.LOST_MESSAGE,
    ),
    "cursor": Mutant(
        Bug(outbox=Cursor, prepare=_POSITIONS),
        scenarios.LATE_COMMITS,
        Rule.STRANDED,
    ),
    "no-message-id": Mutant(
        Bug(queue=QueueWithoutIds, bus=BusWithoutIds),
        scenarios.RELAY_DIES_AFTER_PUBLISH,
        Rule.TWO_IDS,
    ),
    "swap-without-compare": Mutant(
        Bug(unit_of_work=SwapWithoutCompare, prepare=_NOTHING_UNIQUE),
        scenarios.TWINS,
        Rule.PROMISED_TWICE,
    ),
}
