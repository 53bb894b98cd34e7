"""Group commit: concurrent units of work are written by one statement."""

from collections.abc import Hashable, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import LiteralString
from uuid import UUID

import psycopg

from automation_retry.adapters.postgres.coalescing import Coalescer
from automation_retry.adapters.postgres.database import Database
from automation_retry.adapters.postgres.lock_waits import LockWaits
from automation_retry.adapters.postgres.rows import answer_records, change_records, message_records
from automation_retry.adapters.postgres.sql import unit_of_work as sql
from automation_retry.adapters.staging import Staged
from automation_retry.application import StorageUnavailable


def _conflict_keys(staged: Staged) -> Iterator[Hashable]:
    # The statement cannot tell two retries of one execution apart, and of two answers for one key
    # it cannot let only the second lose. In the next statement the second finds that it lost.
    for retry in staged.retries:
        yield retry.execution.tenant, retry.execution.execution_id
    yield from staged.answers


def _rows(staged: Staged) -> Sequence[Hashable]:
    """The executions, in the order in which the statement locks them."""
    return sorted((one.execution.tenant, one.execution.execution_id) for one in staged.retries)


class GroupCommit:
    """Commits units of work, each without the executions that lost and all that is theirs."""

    def __init__(self, database: Database, lock_waits: LockWaits) -> None:
        self._database = database
        self._lock_waits = lock_waits
        self._commit_unlocked = Coalescer(partial(self._write, sql.COMMIT), _conflict_keys)

    async def __call__(self, staged: Staged) -> frozenset[UUID]:
        """The ids of the executions that lost.

        Raises:
            ValueError: an attempt is archived already; nothing was written.
            StorageUnavailable: the outcome is unknown, all or nothing.
        """
        try:
            if len(staged.retries) == 1:
                if not await self._commit_unlocked(staged):
                    return frozenset()
                # The execution was changed, or it is only locked: wait for the lock, but outside
                # the group.
            elif (lost := await self._commit_several(staged)) is not None:
                return lost
            async with self._lock_waits.turn(_rows(staged)):
                [lost] = await self._write(sql.COMMIT_WAITING, [staged])
        except psycopg.errors.UniqueViolation as error:
            if error.diag.constraint_name == sql.ANSWER_EXISTS:
                return frozenset(retry.execution.execution_id for retry in staged.retries)
            raise ValueError(f"an attempt exists already: {error.diag.constraint_name}") from error
        return lost

    async def _commit_several(self, staged: Staged) -> frozenset[UUID] | None:
        """The ids of the executions that lost; None, and nothing is written, if one is locked.

        Such a unit of work commits by itself: it would gain nothing from sharing a statement, and
        delay the others.
        """
        try:
            [lost] = await self._write(sql.COMMIT_NOWAIT, [staged])
        except StorageUnavailable as unavailable:
            if isinstance(unavailable.__cause__, psycopg.errors.LockNotAvailable):
                return None
            raise
        return lost

    async def _write(
        self, statement: LiteralString, group: Sequence[Staged]
    ) -> Sequence[frozenset[UUID]]:
        rows = await self._database.fetch_once(
            statement,
            {
                "changes": change_records(chain.from_iterable(one.retries for one in group)),
                "messages": message_records(chain.from_iterable(one.messages for one in group)),
                "answers": answer_records(
                    chain.from_iterable(one.answers.items() for one in group)
                ),
            },
        )
        won = {(row["tenant"], row["execution_id"]) for row in rows}
        return [
            frozenset(
                retry.execution.execution_id
                for retry in one.retries
                if (retry.execution.tenant, retry.execution.execution_id) not in won
            )
            for one in group
        ]
