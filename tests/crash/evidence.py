"""Reads from the database what is audited."""

from collections.abc import Sequence
from typing import Any, Final, LiteralString
from uuid import UUID

import psycopg
from psycopg.rows import DictRow, dict_row, scalar_row

from automation_retry.application import MessageKind
from tests.crash.records import (
    ArchivedAttempt,
    AttemptKey,
    ExecutionKey,
    OutboxMessage,
    StoredExecution,
)

_ARCHIVED: Final = """
SELECT tenant, execution_id, attempt, retried_by, request_id, error_message
FROM automation_failed_attempts ORDER BY tenant, execution_id, attempt
"""
_EXECUTIONS: Final = """
SELECT tenant, execution_id, status, retry_count, error_message FROM automation_executions
"""
_OUTBOX: Final = """
SELECT tenant, execution_id, attempt, kind, id, dead_reason FROM automation_outbox
"""
# A message that a relay has claimed is locked, and is not stranded.
_UNCLAIMED: Final = """
SELECT id FROM automation_outbox WHERE dead_at IS NULL FOR UPDATE SKIP LOCKED
"""
_WAITING: Final = "SELECT id FROM automation_outbox WHERE dead_at IS NULL"
_ROWS_OF: Final = """
SELECT e::text FROM automation_executions e WHERE tenant = %(tenant)s
UNION ALL SELECT k::text FROM api_keys k WHERE tenant = %(tenant)s
UNION ALL SELECT u::text FROM users u WHERE tenant = %(tenant)s
ORDER BY 1
"""


async def _fetch(url: str, statement: LiteralString) -> list[DictRow]:
    async with await psycopg.AsyncConnection.connect(url, row_factory=dict_row) as connection:
        return await (await connection.execute(statement)).fetchall()


def _attempt(row: DictRow) -> AttemptKey:
    return AttemptKey(ExecutionKey(row["tenant"], row["execution_id"]), row["attempt"])


async def archived_attempts(url: str) -> Sequence[ArchivedAttempt]:
    return [
        ArchivedAttempt(
            attempt=_attempt(row),
            retried_by=row["retried_by"],
            request_id=row["request_id"],
            error_message=row["error_message"],
        )
        for row in await _fetch(url, _ARCHIVED)
    ]


async def stored_executions(url: str) -> Sequence[StoredExecution]:
    return [
        StoredExecution(
            key=ExecutionKey(row["tenant"], row["execution_id"]),
            status=row["status"],
            retry_count=row["retry_count"],
            error_message=row["error_message"],
        )
        for row in await _fetch(url, _EXECUTIONS)
    ]


async def outbox_messages(url: str) -> Sequence[OutboxMessage]:
    return [
        OutboxMessage(
            kind=MessageKind(row["kind"]),
            id=row["id"],
            attempt=_attempt(row),
            dead_reason=row["dead_reason"],
        )
        for row in await _fetch(url, _OUTBOX)
    ]


async def waiting_messages(url: str) -> frozenset[UUID]:
    """The ids of messages that are still to be delivered."""
    return frozenset(row["id"] for row in await _fetch(url, _WAITING))


async def unclaimed_messages(url: str) -> frozenset[UUID]:
    """The ids of messages that no relay has claimed at this moment."""
    return frozenset(row["id"] for row in await _fetch(url, _UNCLAIMED))


async def rows_of(url: str, tenant: UUID) -> Sequence[str]:
    """All rows of a tenant, as text."""
    async with await psycopg.AsyncConnection.connect(url, row_factory=scalar_row) as connection:
        cursor: psycopg.AsyncCursor[Any] = await connection.execute(_ROWS_OF, {"tenant": tenant})
        return await cursor.fetchall()
