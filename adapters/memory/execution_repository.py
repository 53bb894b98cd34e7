from collections.abc import Sequence
from uuid import UUID

from attrs import frozen

from automation_retry.adapters.memory.store import MemoryStore
from automation_retry.application import Page, PageRequest
from automation_retry.application.ports import ExecutionRepository
from automation_retry.domain import Execution, FailedAttempt


@frozen
class MemoryExecutionRepository(ExecutionRepository):
    store: MemoryStore

    async def get(self, tenant: UUID, execution_id: UUID) -> Execution:
        return self.store.execution(tenant, execution_id)

    async def failed_attempts(
        self, tenant: UUID, execution_id: UUID, request: PageRequest
    ) -> Page[FailedAttempt]:
        newest_first = self.store.failed_attempts(tenant, execution_id)[::-1]
        return Page(
            items=newest_first[request.offset : request.offset + request.limit],
            request=request,
            total=len(newest_first),
        )

    async def last_attempt(self, tenant: UUID, execution_id: UUID) -> int:
        return self.store.last_attempt(tenant, execution_id)

    async def add(self, executions: Sequence[Execution]) -> None:
        self.store.add(executions)

    async def report(self, result: Execution) -> bool:
        return self.store.report(result)
