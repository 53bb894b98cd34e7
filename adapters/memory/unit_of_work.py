from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self
from uuid import UUID

from attrs import define, field

from adapters.memory.execution_repository import MemoryExecutionRepository
from adapters.memory.store import MemoryStore
from application import ExecutionJob, Message, RetriedEvent
from application.ports import EventBus, ExecutionQueue, ExecutionRepository, UnitOfWork
from domain import Retry


@define(eq=False)
class StagedMessages(ExecutionQueue, EventBus):
    """Keeps jobs and events for the commit; the relay hands them over later."""

    messages: list[Message] = field(init=False, factory=list)

    async def enqueue(self, jobs: Sequence[ExecutionJob]) -> None:
        self.messages.extend(jobs)

    async def publish(self, events: Sequence[RetriedEvent]) -> None:
        self.messages.extend(events)


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

    def record(self, retry: Retry) -> None:
        self._retries.append(retry)

    async def commit(self) -> frozenset[UUID]:
        lost = self._store.commit(self._retries, self._staged.messages)
        wrote = len(lost) < len(self._retries)
        self._drop()
        if wrote and self._on_commit:
            self._on_commit()
        return lost

    def _drop(self) -> None:
        self._retries.clear()
        self._staged.messages.clear()
