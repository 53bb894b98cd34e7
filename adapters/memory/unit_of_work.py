from collections.abc import Callable, Collection
from datetime import datetime

from automation_retry.adapters.memory.store import MemoryStore
from automation_retry.adapters.staging import Staged, StagingUnitOfWork, Written
from automation_retry.application import IdempotencyKey, MessageKind
from automation_retry.application.ports import Clock, ExecutionRepository
from automation_retry.domain import Execution


class MemoryUnitOfWork(StagingUnitOfWork):
    """Commits without an await, so that no other task runs in between."""

    def __init__(
        self,
        store: MemoryStore,
        executions: ExecutionRepository,
        clock: Clock,
        on_commit: Callable[[], None],
        kinds: Collection[MessageKind] = frozenset(MessageKind),
    ) -> None:
        super().__init__(executions, on_commit, kinds)
        self._store = store
        self._clock = clock

    async def answered(self, key: IdempotencyKey, since: datetime) -> Execution | None:
        return self._store.answers.find(key, since)

    async def _write(self, staged: Staged) -> Written:
        return self._store.commit(staged, self._clock())
