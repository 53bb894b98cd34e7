"""Where units of work are written: many of them in one statement when they come at once."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import LiteralString
from uuid import UUID

import psycopg
from attrs import frozen

from automation_retry.adapters.postgres import statements
from automation_retry.adapters.postgres.database import Database
from automation_retry.adapters.postgres.grouping import Grouping
from automation_retry.adapters.postgres.rows import answer_records, change_records, message_records
from automation_retry.application import IdempotencyKey, Message
from automation_retry.domain import Execution, Retry


@frozen
class Staged:
    """What one unit of work wants to write."""

    retries: Sequence[Retry]
    messages: Sequence[Message]
    answers: Mapping[IdempotencyKey, Execution]


def _claims(staged: Staged) -> Iterator[Hashable]:
    # The statement could not tell two retries of one execution apart, nor let one of two answers
    # to a key lose alone: of those the second finds in the next statement that it lost.
    for retry in staged.retries:
        yield retry.execution.tenant, retry.execution.execution_id
    yield from staged.answers


class Commits:
    """Commits units of work; each is written whole or, where it lost its races, in part or not."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._commit_unless_locked = Grouping(partial(self._run, statements.COMMIT), _claims)

    async def __call__(self, staged: Staged) -> frozenset[UUID]:
        """The executions that lost their race.

        Raises:
            ValueError: an attempt exists already; nothing was written.
            StorageUnavailable: the outcome is unknown, all or nothing.
        """
        try:
            if len(staged.retries) == 1 and not await self._commit_unless_locked(staged):
                return frozenset()
            # What lost was changed, or is only locked; that is waited for outside the group. A unit
            # of work of several would gain nothing in a group, and hold up the others.
            [lost] = await self._run(statements.COMMIT_WAITING, [staged])
        except psycopg.errors.UniqueViolation as error:
            if error.diag.constraint_name == statements.ONE_ANSWER_A_KEY:
                return frozenset(retry.execution.execution_id for retry in staged.retries)
            raise ValueError(f"an attempt exists already: {error.diag.constraint_name}") from error
        return lost

    async def _run(
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
