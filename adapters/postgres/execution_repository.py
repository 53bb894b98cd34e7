import asyncio
from collections.abc import Sequence
from uuid import UUID

import psycopg
from psycopg.rows import DictRow

from automation_retry.adapters.postgres.coalescing import Coalescer
from automation_retry.adapters.postgres.database import Database
from automation_retry.adapters.postgres.rows import (
    attempt_from,
    execution_from,
    execution_record,
    execution_records,
)
from automation_retry.adapters.postgres.sql import executions as sql
from automation_retry.application import ExecutionNotFound, Page, PageRequest
from automation_retry.application.ports import ExecutionRepository
from automation_retry.domain import Execution, FailedAttempt

Key = tuple[UUID, UUID]
"""The tenant and the execution_id."""

_LARGE_READS = 2
"""Large executions that are read at a time: each may take a dozen times the limit of memory."""


class PostgresExecutionRepository(ExecutionRepository):
    """`automation_executions` and `automation_failed_attempts`; concurrent reads are coalesced.

    A large execution is read by itself, so that it does not delay others.
    """

    def __init__(self, database: Database, *, limit: int, by_tenant: bool) -> None:
        """`limit` bounds each payload and each text, in bytes as stored.

        With `by_tenant`, no statement reads executions of several tenants.
        """
        self._database = database
        self._limit = limit
        self._row: Coalescer[Key, DictRow | None] = Coalescer(
            self._rows, lambda _: (), lambda key: by_tenant and key[0]
        )
        self._large_reads = asyncio.Semaphore(_LARGE_READS)

    async def get(self, tenant: UUID, execution_id: UUID) -> Execution:
        row = await self._row((tenant, execution_id))
        if row is not None and not row["small"]:
            async with self._large_reads:
                rows = await self._database.fetch(
                    sql.GET_LARGE_EXECUTION,
                    {"tenant": tenant, "execution_id": execution_id, "limit": self._limit},
                )
                row = rows[0] if rows else None
        if row is None:
            raise ExecutionNotFound(execution_id)
        return execution_from(row)

    async def _rows(self, keys: Sequence[Key]) -> Sequence[DictRow | None]:
        wanted = list(dict.fromkeys(keys))
        rows = await self._database.fetch(
            sql.GET_EXECUTIONS,
            {
                "tenants": [tenant for tenant, _ in wanted],
                "execution_ids": [execution_id for _, execution_id in wanted],
                "limit": self._limit,
            },
        )
        found = {(row["tenant"], row["execution_id"]): row for row in rows}
        return [found.get(key) for key in keys]

    async def failed_attempts(
        self, tenant: UUID, execution_id: UUID, request: PageRequest
    ) -> Page[FailedAttempt]:
        rows = await self._database.fetch(
            sql.FAILED_ATTEMPTS,
            {
                "tenant": tenant,
                "execution_id": execution_id,
                "page_size": request.limit,
                "offset": request.offset,
                "limit": self._limit,
            },
        )
        if not rows:
            raise ExecutionNotFound(execution_id)
        return Page(
            items=[attempt_from(row) for row in rows if row["attempt"] is not None],
            request=request,
            total=rows[0]["total"],
        )

    async def last_attempt(self, tenant: UUID, execution_id: UUID) -> int:
        [row] = await self._database.fetch(
            sql.LAST_ATTEMPT, {"tenant": tenant, "execution_id": execution_id}
        )
        attempt: int = row["attempt"]
        return attempt

    async def add(self, executions: Sequence[Execution]) -> None:
        try:
            await self._database.execute(
                sql.ADD_EXECUTIONS, {"executions": execution_records(executions)}
            )
        except psycopg.errors.UniqueViolation as error:
            raise ValueError("an execution with one of these ids exists already") from error

    async def report(self, result: Execution) -> bool:
        return await self._database.execute(sql.REPORT, {"result": execution_record(result)}) > 0
