from collections.abc import Callable
from datetime import datetime
from types import TracebackType
from typing import Self
from uuid import UUID

from attrs import define, field

from automation_retry.adapters.memory.execution_repository import MemoryExecutionRepository
from automation_retry.adapters.memory.store import MemoryStore
from automation_retry.adapters.staged_messages import StagedMessages
from automation_retry.application import IdempotencyKey
from automation_retry.application.ports import (
    EventBus,
    ExecutionQueue,
    ExecutionRepository,
    UnitOfWork,
)
from automation_retry.domain import Execution, Retry


@define(eq=False)
class MemoryUnitOfWork(UnitOfWork):
    """Stages beside the store; the commit swaps without a break for other tasks in between.

    `on_commit` is told of every commit that wrote something.
    """

    _store: MemoryStore
    _on_commit: Callable[[], None] | None = None
    executions: ExecutionRepository = field(init=False)
    queue: ExecutionQueue = field(init=False)
    events: EventBus = field(init=False)
    _staged: StagedMessages = field(init=False, factory=StagedMessages)
    _retries: list[Retry] = field(init=False, factory=list)
    _answers: dict[IdempotencyKey, Execution] = field(init=False, factory=dict)

    def __attrs_post_init__(self) -> None:
        self.executions = MemoryExecutionRepository(self._store)
        self.queue = self.events = self._staged

    async def __aenter__(self) -> Self:
        self._drop()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._drop()

    async def answered(self, key: IdempotencyKey, since: datetime) -> Execution | None:
        return self._store.answers.find(key, since)

    def record(self, retry: Retry, key: IdempotencyKey | None = None) -> None:
        self._retries.append(retry)
        if key:
            self._answers[key] = retry.execution

    async def commit(self) -> frozenset[UUID]:
        lost = self._store.commit(self._retries, self._staged.messages, self._answers)
        wrote = len(lost) < len(self._retries)
        self._drop()
        if wrote and self._on_commit:
            self._on_commit()
        return lost

    def _drop(self) -> None:
        self._retries.clear()
        self._answers.clear()
        self._staged.messages.clear()
