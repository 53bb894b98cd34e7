from collections.abc import Callable, Collection
from datetime import datetime

from automation_retry.adapters.postgres.database import Database
from automation_retry.adapters.postgres.group_commit import GroupCommit
from automation_retry.adapters.postgres.rows import recorded_execution
from automation_retry.adapters.postgres.sql import idempotency_keys as sql
from automation_retry.adapters.staging import Staged, StagingUnitOfWork, Written
from automation_retry.application import IdempotencyKey, IdempotencyKeyReused, MessageKind
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
        kinds: Collection[MessageKind] = frozenset(MessageKind),
    ) -> None:
        """All units of work of a database share `executions` and `group_commit`."""
        super().__init__(executions, on_commit, kinds)
        self._database = database
        self._group_commit = group_commit

    async def answered(self, key: IdempotencyKey, since: datetime) -> Execution | None:
        rows = await self._database.fetch(
            sql.ANSWERED,
            {"tenant": key.tenant, "caller": key.caller, "key": key.text, "since": since},
        )
        if not rows:
            return None
        if rows[0]["request"] is not None:
            raise IdempotencyKeyReused(key.text)
        return recorded_execution(rows[0]["record"], rows[0])

    async def _write(self, staged: Staged) -> Written:
        return await self._group_commit(staged)
