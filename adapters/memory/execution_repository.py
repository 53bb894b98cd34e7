from collections.abc import Sequence
from uuid import UUID

from attrs import frozen

from automation_retry.adapters.memory.store import MemoryStore
from automation_retry.application.ports import ExecutionRepository, Page
from automation_retry.domain import Execution, FailedAttempt


@frozen
class MemoryExecutionRepository(ExecutionRepository):
    store: MemoryStore

    async def get(self, tenant: UUID, execution_id: UUID) -> Execution:
        return self.store.execution(tenant, execution_id)

    async def failed_attempts(
        self, tenant: UUID, execution_id: UUID, *, page: int, limit: int
    ) -> Page[FailedAttempt]:
        newest_first = self.store.failed_attempts(tenant, execution_id)[::-1]
        start = (page - 1) * limit
        return Page(
            items=newest_first[start : start + limit],
            page=page,
            limit=limit,
            total=len(newest_first),
        )

    async def add(self, executions: Sequence[Execution]) -> None:
        self.store.add(executions)
