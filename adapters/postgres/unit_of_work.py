from collections.abc import Callable
from datetime import datetime
from types import TracebackType
from typing import Self
from uuid import UUID

from automation_retry.adapters.json_codec import converter
from automation_retry.adapters.postgres import statements
from automation_retry.adapters.postgres.commits import Commits, Staged
from automation_retry.adapters.postgres.database import Database
from automation_retry.adapters.staged_messages import StagedMessages
from automation_retry.application import IdempotencyKey
from automation_retry.application.ports import ExecutionRepository, UnitOfWork
from automation_retry.domain import Execution, Retry


class PostgresUnitOfWork(UnitOfWork):
    """Stages in memory and commits in one statement, so there is no transaction to hold open."""

    def __init__(
        self,
        database: Database,
        executions: ExecutionRepository,
        commits: Commits,
        on_commit: Callable[[], None] = lambda: None,
    ) -> None:
        """`executions` and `commits` are shared by all units of work of a database.

        `on_commit` is told of every commit that left messages to deliver.
        """
        self._database = database
        self._commits = commits
        self._on_commit = on_commit
        self.executions = executions
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
        staged = Staged(self._retries, self._staged.messages, self._answers)
        lost = await self._commits(staged)
        self._reset()
        if len(lost) < len(staged.retries):
            self._on_commit()
        return lost
