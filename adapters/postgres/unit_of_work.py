from collections.abc import Callable
from types import TracebackType
from typing import Self
from uuid import UUID

import psycopg

from adapters.postgres import statements
from adapters.postgres.database import Database
from adapters.postgres.executions import PostgresExecutions
from adapters.postgres.rows import change_records, message_records
from adapters.staged_messages import StagedMessages
from application.ports import UnitOfWork
from domain import Retry


class PostgresUnitOfWork(UnitOfWork):
    """Stages in memory and commits in one statement, so there is no transaction to hold open."""

    def __init__(self, database: Database, on_commit: Callable[[], None] = lambda: None) -> None:
        """`on_commit` is told of every commit that left messages to deliver."""
        self._database = database
        self._on_commit = on_commit
        self.executions = PostgresExecutions(database)
        self._reset()

    def _reset(self) -> None:
        self._retries: list[Retry] = []
        self._staged = StagedMessages()
        self.queue = self._staged
        self.events = self._staged

    async def __aenter__(self) -> Self:
        self._reset()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._reset()

    def record(self, retry: Retry) -> None:
        self._retries.append(retry)

    async def commit(self) -> frozenset[UUID]:
        parameters = {
            "changes": change_records(self._retries),
            "messages": message_records(self._staged.messages),
        }
        try:
            rows = await self._database.fetch_once(statements.COMMIT, parameters)
        except psycopg.errors.UniqueViolation as error:
            raise ValueError(f"an attempt exists already: {error.diag.constraint_name}") from error
        wanted = {retry.execution.execution_id for retry in self._retries}
        self._reset()
        if rows:
            self._on_commit()
        return frozenset(wanted - {row["execution_id"] for row in rows})
