"""Group commit: concurrent units of work are written by one statement."""

import re
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from psycopg.rows import DictRow

from automation_retry.adapters.postgres.coalescing import Coalescer
from automation_retry.adapters.postgres.database import Database
from automation_retry.adapters.postgres.errors import Again, again, described, functions_of
from automation_retry.adapters.postgres.lock_waits import LockWaits
from automation_retry.adapters.postgres.rows import commit_parameters, recorded_execution
from automation_retry.adapters.postgres.sql import unit_of_work as sql
from automation_retry.adapters.staging import Staged, Written
from automation_retry.application import AttemptArchived, StorageFailed, StorageUnavailable
from automation_retry.application.ports import CommitOutcome
from automation_retry.domain import PAYLOADS, Execution, UnreadableExecution

_DISCARDED = "SQLSTATE 22012"
"""A division by zero, by which queries that hand over say so."""
_LARGE = 2**17
"""Characters."""


def _conflict_keys(staged: Staged) -> Iterator[Hashable]:
    # The statement cannot tell two retries of one execution apart, and of two answers for one key
    # it cannot let only the second lose. In the next statement the second finds that it lost.
    for retry in staged.retries:
        yield retry.execution.tenant, retry.execution.execution_id
    yield from staged.keys


def _rows(staged: Staged) -> Sequence[Hashable]:
    """The executions, in the order in which the statement locks them."""
    return sorted((one.execution.tenant, one.execution.execution_id) for one in staged.retries)


def _all_lost(staged: Staged) -> Written:
    lost = frozenset(retry.execution.execution_id for retry in staged.retries)
    return Written(CommitOutcome(lost=lost), in_outbox=False)


def _shares(staged: Staged) -> bool:
    """Whether it may share a statement: a large execution would delay the others."""
    return len(staged.retries) == 1 and not _is_large(staged.retries[0].before)


def _is_large(execution: Execution) -> bool:
    payloads = (getattr(execution, name) for name in PAYLOADS)
    texts = [
        execution.error_message,
        execution.error_stack,
        *(one and one.text for one in payloads),
    ]
    return bool(execution.truncated) or sum(len(text) for text in texts if text) > _LARGE


class GroupCommit:
    """Commits units of work, each without the executions that lost and all that is theirs."""

    def __init__(
        self,
        database: Database,
        lock_waits: LockWaits,
        *,
        limit: int,
        hand_over: Mapping[str, LiteralString],
        by_tenant: bool,
    ) -> None:
        """`limit` is that of payloads in bytes; `hand_over` is described at `sql.commit`.

        With `by_tenant`, units of work of several tenants share no statement.
        """
        self._database = database
        self._lock_waits = lock_waits
        self._queries = "".join(hand_over.values())
        self._limit = limit
        self._waiting = sql.commit(hand_over)
        self._unlocked = sql.commit(hand_over, "SKIP LOCKED")
        self._nowait = sql.commit(hand_over, "NOWAIT")
        self._commit_unlocked = Coalescer(
            partial(self._write, self._unlocked, shared=True),
            _conflict_keys,
            lambda staged: by_tenant and staged.retries[0].execution.tenant,
        )

    async def __call__(self, staged: Staged) -> Written:
        """What was written.

        Raises:
            AttemptArchived: an attempt is archived already; nothing was written.
            StorageFailed: PostgreSQL refused the statement; nothing was written.
            StorageUnavailable: the outcome is unknown, all or nothing.
        """
        try:
            return await self._commit(staged)
        except StorageUnavailable as unavailable:
            if isinstance(unavailable.__cause__, psycopg.errors.ProgramLimitExceeded):
                with suppress(StorageUnavailable):
                    await self._database.fetch(sql.FREE_NOTIFY_QUEUE, {})
            raise
        except StorageFailed as failed:
            raise self._refused(failed.reason, failed.functions) from None
        except psycopg.errors.UniqueViolation as error:
            if error.diag.constraint_name == sql.ANSWER_EXISTS:
                return _all_lost(staged)
            if error.diag.table_name in sql.ATTEMPTS:
                raise AttemptArchived from error
            raise self._refused(described(error), functions_of(error)) from None

    def _refused(self, reason: str, functions: Sequence[str]) -> Exception:
        """What stops a function that hands over may be mended, as a trigger on its tables.

        Then the retry can wait, as for a database that is down.
        """
        if self._queries and _DISCARDED in reason and not functions:
            return StorageUnavailable("handing over failed: a trigger discarded messages")
        if any(re.search(rf"\b{re.escape(one)}\(", self._queries) for one in functions):
            return StorageUnavailable(f"handing over failed: {reason}")
        return StorageFailed(reason, functions)

    async def _commit(self, staged: Staged) -> Written:
        if not staged.wait:
            return (await self._write(self._unlocked, [staged]))[0]
        commit = self._commit_shared if _shares(staged) else self._commit_alone
        if written := await commit(staged):
            return written
        # The execution was changed, or it is only locked: wait for the lock, but outside the group.
        async with self._lock_waits.turn(_rows(staged)):
            [written] = await self._write(self._waiting, [staged])
        return written

    async def _commit_shared(self, staged: Staged) -> Written | None:
        """What was written; None, and nothing is, if its execution has another state or lock."""
        try:
            written = await self._commit_unlocked(staged)
        except StorageUnavailable as unavailable:
            if again(unavailable.__cause__) is Again.CONFLICT:
                return None
            raise
        return None if written.outcome.lost else written

    async def _commit_alone(self, staged: Staged) -> Written | None:
        """What was written of a unit of work by itself; None, and nothing is, if one is locked."""
        try:
            [written] = await self._write(self._nowait, [staged])
        except StorageUnavailable as unavailable:
            if isinstance(unavailable.__cause__, psycopg.errors.LockNotAvailable):
                return None
            raise
        return written

    async def _write(
        self, statement: LiteralString, group: Sequence[Staged], *, shared: bool = False
    ) -> Sequence[Written]:
        limit = self._limit if group[0].wait else 0  # leaves out all that may be large
        rows = await self._database.fetch_once(
            statement, commit_parameters(group) | {"limit": limit}, shared=shared
        )
        found = {(row["tenant"], row["execution_id"]): row for row in rows}
        return [_written(staged, found) for staged in group]


def _written(staged: Staged, found: Mapping[tuple[UUID, UUID], DictRow]) -> Written:
    committed: dict[UUID, Execution] = {}
    discarded: list[UUID] = []
    lost: list[UUID] = []
    unanswerable: list[UUID] = []
    in_outbox = False
    for retry in staged.retries:
        execution = retry.execution
        row = found.get((execution.tenant, execution.execution_id))
        if row is None:
            lost.append(execution.execution_id)
        elif row["discarded"]:
            discarded.append(execution.execution_id)
        else:
            in_outbox = in_outbox or row["in_outbox"]
            try:
                committed[execution.execution_id] = _stored(execution, row)
            except UnreadableExecution:
                unanswerable.append(execution.execution_id)
    outcome = CommitOutcome(
        committed=committed,
        lost=frozenset(lost),
        discarded=frozenset(discarded),
        unanswerable=frozenset(unanswerable),
    )
    return Written(outcome, in_outbox=in_outbox)


def _stored(expected: Execution, row: Mapping[str, Any]) -> Execution:
    """The execution as stored, which nearly always is the expected one."""
    record = row["record"]
    return expected if record is None else recorded_execution(record, row)
