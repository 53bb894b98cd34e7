"""What is common to the units of work of all storages: they stage in memory, then write at once."""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Self
from uuid import UUID

from attrs import define, field, frozen

from automation_retry.adapters.wire.messages import event_message, job_message
from automation_retry.application import ExecutionJob, IdempotencyKey, Message, RetriedEvent
from automation_retry.application.ports import (
    EventBus,
    ExecutionQueue,
    ExecutionRepository,
    UnitOfWork,
)
from automation_retry.domain import Execution, Retry


@frozen
class Staged:
    """What one unit of work is to write."""

    retries: Sequence[Retry]
    messages: Sequence[Message]
    answers: Mapping[IdempotencyKey, Execution]


@define(eq=False)
class StagedMessages(ExecutionQueue, EventBus):
    """Collects the envelopes of the staged jobs and events."""

    messages: list[Message] = field(init=False, factory=list)

    def enqueue(self, job: ExecutionJob) -> None:
        self.messages.append(job_message(job))

    def publish(self, event: RetriedEvent) -> None:
        self.messages.append(event_message(event))


class StagingUnitOfWork(UnitOfWork):
    """A unit of work that needs no transaction until its commit."""

    queue: StagedMessages
    events: StagedMessages

    def __init__(self, executions: ExecutionRepository, on_commit: Callable[[], None]) -> None:
        """`on_commit` is called after each commit that wrote messages."""
        self.executions = executions
        self._on_commit = on_commit
        self._reset()

    def _reset(self) -> None:
        self._retries: list[Retry] = []
        self._answers: dict[IdempotencyKey, Execution] = {}
        self.queue = self.events = StagedMessages()

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

    def record(self, retry: Retry, key: IdempotencyKey | None = None) -> None:
        self._retries.append(retry)
        if key:
            self._answers[key] = retry.execution

    async def commit(self) -> frozenset[UUID]:
        staged = Staged(self._retries, self.queue.messages, self._answers)
        lost = await self._write(staged)
        self._reset()
        if len(lost) < len(staged.retries):
            self._on_commit()
        return lost

    @abstractmethod
    async def _write(self, staged: Staged) -> frozenset[UUID]:
        """Writes all that is staged at once; promises and errors are those of `commit`."""
