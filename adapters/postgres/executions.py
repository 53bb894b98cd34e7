from collections.abc import Sequence
from uuid import UUID

import psycopg
from attrs import frozen

from adapters.postgres import statements
from adapters.postgres.database import Database
from adapters.postgres.rows import execution_records, from_row
from application import ExecutionNotFound
from application.ports import ExecutionRepository, Page
from domain import Execution, FailedAttempt


@frozen
class PostgresExecutions(ExecutionRepository):
    """The table `automation_executions` and its archive."""

    database: Database

    async def get(self, tenant: UUID, execution_id: UUID) -> Execution:
        rows = await self.database.fetch(
            statements.GET_EXECUTION, {"tenant": tenant, "execution_id": execution_id}
        )
        if not rows:
            raise ExecutionNotFound(execution_id)
        return from_row(rows[0], Execution)

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
