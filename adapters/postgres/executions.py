from collections.abc import Sequence
from uuid import UUID

import psycopg
from psycopg.rows import DictRow

from automation_retry.adapters.postgres import statements
from automation_retry.adapters.postgres.database import Database
from automation_retry.adapters.postgres.grouping import Grouping
from automation_retry.adapters.postgres.rows import execution_records, from_row
from automation_retry.application import ExecutionNotFound
from automation_retry.application.ports import ExecutionRepository, Page
from automation_retry.domain import Execution, FailedAttempt

Key = tuple[UUID, UUID]
"""(tenant, execution_id)"""


class PostgresExecutions(ExecutionRepository):
    """The table `automation_executions` and its archive."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._get: Grouping[Key, DictRow | None] = Grouping(self._rows, lambda _: ())

    async def get(self, tenant: UUID, execution_id: UUID) -> Execution:
        row = await self._get((tenant, execution_id))
        if row is None:
            raise ExecutionNotFound(execution_id)
        return from_row(row, Execution)

    async def _rows(self, keys: Sequence[Key]) -> Sequence[DictRow | None]:
        wanted = list(dict.fromkeys(keys))
        rows = await self.database.fetch(
            statements.GET_EXECUTIONS,
            {
                "tenants": [tenant for tenant, _ in wanted],
                "execution_ids": [execution_id for _, execution_id in wanted],
            },
        )
        found = {(row["tenant"], row["execution_id"]): row for row in rows}
        return [found.get(key) for key in keys]

    async def failed_attempts(
        self, tenant: UUID, execution_id: UUID, *, page: int, limit: int
    ) -> Page[FailedAttempt]:
        rows = await self.database.fetch(
            statements.FAILED_ATTEMPTS,
            {
                "tenant": tenant,
                "execution_id": execution_id,
                "limit": limit,
                "offset": (page - 1) * limit,
            },
        )
        if not rows:
            raise ExecutionNotFound(execution_id)
        return Page(
            items=[from_row(row, FailedAttempt) for row in rows if row["attempt"] is not None],
            page=page,
            limit=limit,
            total=rows[0]["total"],
        )

    async def add(self, executions: Sequence[Execution]) -> None:
        try:
            async with self.database.connection() as connection:
                await connection.execute(
                    statements.ADD_EXECUTIONS, {"executions": execution_records(executions)}
                )
        except psycopg.errors.UniqueViolation as error:
            raise ValueError(f"an execution exists already: {error.diag.message_detail}") from error
