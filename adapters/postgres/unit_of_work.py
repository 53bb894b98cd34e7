from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from automation_retry.adapters.postgres.database import Database
from automation_retry.adapters.postgres.group_commit import GroupCommit
from automation_retry.adapters.postgres.sql import idempotency_keys as sql
from automation_retry.adapters.staging import Staged, StagingUnitOfWork
from automation_retry.adapters.wire.json_values import converter
from automation_retry.application import IdempotencyKey
from automation_retry.application.ports import ExecutionRepository
from automation_retry.domain import Execution


class PostgresUnitOfWork(StagingUnitOfWork):
    """Commits in one statement, so there is no transaction to hold open."""

    def __init__(
        self,
        database: Database,
        executions: ExecutionRepository,
        group_commit: GroupCommit,
        on_commit: Callable[[], None],
    ) -> None:
        """All units of work of a database share `executions` and `group_commit`."""
        super().__init__(executions, on_commit)
        self._database = database
        self._group_commit = group_commit

    async def answered(self, key: IdempotencyKey, since: datetime) -> Execution | None:
        rows = await self._database.fetch(
            sql.ANSWERED,
            {"tenant": key.tenant, "caller": key.caller, "key": key.text, "since": since},
        )
        return converter.structure(rows[0]["execution"], Execution) if rows else None

    async def _write(self, staged: Staged) -> frozenset[UUID]:
        return await self._group_commit(staged)
