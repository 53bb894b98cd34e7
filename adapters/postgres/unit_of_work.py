from collections.abc import Callable
from datetime import datetime
from types import TracebackType
from typing import Self
from uuid import UUID

import psycopg

from adapters.json_codec import converter
from adapters.postgres import statements
from adapters.postgres.database import Database
from adapters.postgres.executions import PostgresExecutions
from adapters.postgres.rows import answer_records, change_records, message_records
from adapters.staged_messages import StagedMessages
from application import IdempotencyKey
from application.ports import UnitOfWork
from domain import Execution, Retry


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
        self._answers: dict[IdempotencyKey, Execution] = {}
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

    async def answered(self, key: IdempotencyKey, since: datetime) -> Execution | None:
        rows = await self._database.fetch(
            statements.ANSWERED,
            {"tenant": key.tenant, "caller": key.caller, "key": key.text, "since": since},
        )
        return converter.structure(rows[0]["execution"], Execution) if rows else None

    def record(self, retry: Retry, key: IdempotencyKey | None = None) -> None:
        self._retries.append(retry)
        if key:
            self._answers[key] = retry.execution

    async def commit(self) -> frozenset[UUID]:
        parameters = {
            "changes": change_records(self._retries),
            "messages": message_records(self._staged.messages),
            "answers": answer_records(self._answers),
        }
        wanted = frozenset(retry.execution.execution_id for retry in self._retries)
        try:
            rows = await self._database.fetch_once(statements.COMMIT, parameters)
        except psycopg.errors.UniqueViolation as error:
            if error.diag.constraint_name == statements.ONE_ANSWER_A_KEY:
                return wanted
            raise ValueError(f"an attempt exists already: {error.diag.constraint_name}") from error
        self._reset()
        if rows:
            self._on_commit()
        return wanted - {row["execution_id"] for row in rows}
