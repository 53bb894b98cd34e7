from collections.abc import Collection
from functools import partial
from typing import Final, LiteralString, Protocol
from uuid import UUID

import psycopg
from psycopg.rows import DictRow

from automation_retry.adapters.postgres.database import Database, Parameters
from automation_retry.adapters.postgres.indexes import index_states
from automation_retry.adapters.postgres.limited_queries import LimitedQueries, ParameterRefused
from automation_retry.adapters.postgres.listed_rows import failure_groups, listed_execution
from automation_retry.adapters.postgres.query_turns import QueryTurns
from automation_retry.adapters.postgres.sql.failure_groups import ARE_INDEXED, list_failure_groups
from automation_retry.adapters.postgres.sql.indexes import IS_FAILED
from automation_retry.adapters.postgres.sql.lists import is_answered_by_index, list_executions
from automation_retry.adapters.postgres.sql.selection import given, parameters
from automation_retry.application import (
    ExecutionFilter,
    InvalidParameters,
    Position,
    Sorting,
    StorageFailed,
    StorageUnavailable,
    Timeline,
)
from automation_retry.application.cursors import A_CURSOR
from automation_retry.application.ports import (
    MAX_READ_BYTES,
    ExecutionQueries,
    FailureGroups,
    ListedExecutions,
    Window,
)

_WITHIN_S: Final = 3.0


class _Statement(Protocol):
    """A statement with the condition that finds failed executions."""

    def __call__(self, *, failed: LiteralString) -> LiteralString: ...


class PostgresExecutionQueries(ExecutionQueries):
    """Lists of `automation_executions`; each is one statement, which is stopped after 3 s.

    They use a part of the pool's connections, so that they do not delay retries.
    """

    def __init__(self, database: Database, *, limit: int) -> None:
        """`limit` bounds each payload and each text, in bytes as stored."""
        self._database = database
        self._queries = LimitedQueries(database, _WITHIN_S)
        self._limit = limit
        self._is_failed: LiteralString = IS_FAILED.as_string()
        self._turns = QueryTurns.of_pool(database.max_size, _WITHIN_S)

    async def executions(
        self,
        tenant: UUID,
        wanted: ExecutionFilter,
        sorting: Sorting,
        window: Window,
        fields: Collection[str],
    ) -> ListedExecutions:
        after = window.after
        conditions = given(wanted)
        try:
            rows = await self._fetch(
                tenant,
                partial(
                    list_executions,
                    conditions,
                    sorting,
                    None if after is None else "null" if after.key is None else "value",
                    frozenset(fields),
                    counted=window.counted,
                ),
                {
                    **parameters(wanted),
                    "tenant": tenant,
                    "wanted": window.limit,
                    "offset": window.offset,
                    "most": window.offset + window.limit + 1,
                    "limit": self._limit,
                    "budget": MAX_READ_BYTES,
                    "key": None if after is None else after.key,
                    "execution_id": None if after is None else after.execution_id,
                },
                indexed=is_answered_by_index(conditions, sorting.by),
            )
        except ParameterRefused as error:
            if after is None:
                raise StorageFailed(error.reason) from None
            raise InvalidParameters({"cursor": A_CURSOR}) from error
        items = [row for row in rows if row["execution_id"] is not None]
        follows = rows[0]["found"] > window.limit
        return ListedExecutions(
            items=[listed_execution(row) for row in items],
            next=Position(key=items[-1]["key"], execution_id=items[-1]["execution_id"])
            if follows and items
            else None,
            total=rows[0]["total"],
        )

    async def failure_groups(
        self, tenant: UUID, wanted: ExecutionFilter, timeline: Timeline, limit: int
    ) -> FailureGroups:
        try:
            rows = await self._fetch(
                tenant,
                partial(list_failure_groups, given(wanted), are_indexed=await self._are_indexed()),
                {
                    **parameters(wanted),
                    "tenant": tenant,
                    "limit": limit,
                    "starts_at": timeline.starts_at.isoformat(),
                    "bucket_s": timeline.bucket.total_seconds(),
                },
                indexed=wanted.search is None,
            )
        except ParameterRefused as error:
            raise StorageFailed(error.reason) from None
        return failure_groups(rows, timeline)

    async def _are_indexed(self) -> bool:
        """Whether groups are; not before `migrate` has built the index."""
        found = await self._database.fetch(ARE_INDEXED, {})
        return any(row["are_indexed"] for row in found)

    async def _fetch(
        self,
        tenant: UUID,
        statement: _Statement,
        values: Parameters,
        *,
        indexed: bool,
    ) -> list[DictRow]:
        """The rows of the statement; `indexed` as for `QueryTurns.turn`."""
        async with self._turns.turn(tenant, indexed=indexed):
            failed = self._is_failed
            try:
                return await self._queries.fetch(statement(failed=failed), values)
            except StorageUnavailable as unavailable:
                if not isinstance(unavailable.__cause__, psycopg.errors.UndefinedFunction):
                    raise
                self._is_failed = await self._condition_of_indexes() or failed
                if self._is_failed == failed:
                    raise
            return await self._queries.fetch(statement(failed=self._is_failed), values)

    async def _condition_of_indexes(self) -> LiteralString | None:
        """How failed executions are found by the type of `status`; None without the table."""
        async with self._database.connection() as connection:
            states = await index_states(connection)
        return states[0].is_failed.as_string() if states else None
