from collections.abc import Sequence
from uuid import UUID

import psycopg
from psycopg.rows import DictRow

from automation_retry.adapters.postgres.coalescing import Coalescer
from automation_retry.adapters.postgres.database import Database
from automation_retry.adapters.postgres.rows import execution_record, execution_records, from_row
from automation_retry.adapters.postgres.sql import executions as sql
from automation_retry.application import ExecutionNotFound, Page, PageRequest
from automation_retry.application.ports import ExecutionRepository
from automation_retry.domain import Execution, FailedAttempt

Key = tuple[UUID, UUID]
"""The tenant and the execution_id."""


class PostgresExecutionRepository(ExecutionRepository):
    """`automation_executions` and `automation_failed_attempts`; concurrent reads are coalesced."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._row: Coalescer[Key, DictRow | None] = Coalescer(self._rows, lambda _: ())

    async def get(self, tenant: UUID, execution_id: UUID) -> Execution:
        row = await self._row((tenant, execution_id))
        if row is None:
            raise ExecutionNotFound(execution_id)
        return from_row(row, Execution)

    async def _rows(self, keys: Sequence[Key]) -> Sequence[DictRow | None]:
        wanted = list(dict.fromkeys(keys))
        rows = await self._database.fetch(
            sql.GET_EXECUTIONS,
            {
                "tenants": [tenant for tenant, _ in wanted],
                "execution_ids": [execution_id for _, execution_id in wanted],
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
                "limit": request.limit,
                "offset": request.offset,
            },
        )
        if not rows:
            raise ExecutionNotFound(execution_id)
        return Page(
            items=[from_row(row, FailedAttempt) for row in rows if row["attempt"] is not None],
            request=request,
            total=rows[0]["total"],
        )

    async def add(self, executions: Sequence[Execution]) -> None:
        try:
            async with self._database.connection() as connection:
                await connection.execute(
                    sql.ADD_EXECUTIONS, {"executions": execution_records(executions)}
                )
        except psycopg.errors.UniqueViolation as error:
            raise ValueError(f"an execution exists already: {error.diag.message_detail}") from error

    async def report(self, result: Execution) -> bool:
        async with self._database.connection() as connection:
            cursor = await connection.execute(sql.REPORT, {"result": execution_record(result)})
            return cursor.rowcount > 0
