"""What is common to the units of work of all storages: they stage in memory, then write at once."""

from abc import abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from types import TracebackType
from typing import Self
from uuid import UUID

from attrs import define, field, frozen

from automation_retry.adapters.wire.messages import event_message, job_message
from automation_retry.application import (
    AttemptArchived,
    ExecutionJob,
    IdempotencyKey,
    Message,
    MessageKind,
    RetriedEvent,
)
from automation_retry.application.ports import (
    CommitOutcome,
    EventBus,
    ExecutionQueue,
    ExecutionRepository,
    UnitOfWork,
)
from automation_retry.domain import Retry


@frozen
class Staged:
    """What one unit of work is to write."""

    retries: Sequence[Retry]
    messages: Sequence[Message]
    keys: Mapping[IdempotencyKey, UUID]
    """The execution whose answer each of them keeps."""
    reservations: Mapping[tuple[UUID, UUID], UUID] = field(factory=dict)
    """The reservation under which an execution is retried, by its tenant and execution_id."""
    wait: bool = True
    """Whether to wait for executions that others have locked; otherwise they lose."""


@frozen
class Written:
    """What a storage wrote of a unit of work."""

    outcome: CommitOutcome
    in_outbox: bool
    """Whether messages wait in the outbox now."""


@define(eq=False)
class StagedMessages(ExecutionQueue, EventBus):
    """Collects the envelopes of the staged jobs and events; drops kinds that no broker carries."""

    _kinds: Collection[MessageKind] = frozenset(MessageKind)
    messages: list[Message] = field(init=False, factory=list)

    def enqueue(self, job: ExecutionJob) -> None:
        if MessageKind.JOB in self._kinds:
            self.messages.append(job_message(job))

    def publish(self, event: RetriedEvent) -> None:
        if MessageKind.EVENT in self._kinds:
            self.messages.append(event_message(event))


class StagingUnitOfWork(UnitOfWork):
    """A unit of work that needs no transaction until its commit."""

    queue: StagedMessages
    events: StagedMessages

    def __init__(
        self,
        executions: ExecutionRepository,
        on_commit: Callable[[], None],
        kinds: Collection[MessageKind] = frozenset(MessageKind),
    ) -> None:
        """`on_commit` is called after each commit that left messages in the outbox.

        `kinds` are those that a broker carries.
        """
        self.executions = executions
        self._on_commit = on_commit
        self._kinds = kinds
        self._reset()

    def _reset(self) -> None:
        self._retries: list[Retry] = []
        self._keys: dict[IdempotencyKey, UUID] = {}
        self._reservations: dict[tuple[UUID, UUID], UUID] = {}
        self.queue = self.events = StagedMessages(self._kinds)

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

    def record(
        self,
        retry: Retry,
        key: IdempotencyKey | None = None,
        reservation_id: UUID | None = None,
    ) -> None:
        self._retries.append(retry)
        if key:
            self._keys[key] = retry.execution.execution_id
        if reservation_id:
            execution = retry.execution
            self._reservations[execution.tenant, execution.execution_id] = reservation_id

    async def commit(self, *, wait: bool = True) -> CommitOutcome:
        ids = {(one.execution.tenant, one.execution.execution_id) for one in self._retries}
        if len(ids) < len(self._retries):
            raise AttemptArchived  # two retries of one execution would have the same number
        staged = Staged(
            self._retries, self.queue.messages, self._keys, self._reservations, wait=wait
        )
        written = await self._write(staged)
        self._reset()
        if written.in_outbox:
            self._on_commit()
        return written.outcome

    @abstractmethod
    async def _write(self, staged: Staged) -> Written:
        """Writes all that is staged at once; promises and errors are those of `commit`."""
