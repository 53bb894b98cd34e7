from collections.abc import Callable, Mapping
from datetime import datetime
from types import TracebackType
from typing import Protocol, Self
from uuid import UUID

from attrs import field, frozen

from automation_retry.application.idempotency import IdempotencyKey
from automation_retry.application.ports.event_bus import EventBus
from automation_retry.application.ports.execution_queue import ExecutionQueue
from automation_retry.application.ports.execution_repository import ExecutionRepository
from automation_retry.domain import Execution, Retry


@frozen(kw_only=True)
class CommitOutcome:
    """What became of the executions of a unit of work, by their ids."""

    committed: Mapping[UUID, Execution] = field(factory=dict)
    """As stored: as they were recorded, with what the storage rounded, and with kept values that
    others changed since the execution was read."""
    lost: frozenset[UUID] = frozenset()
    """Those that lost their race, and of which nothing was written."""
    discarded: frozenset[UUID] = frozenset()
    """Those whose update the storage discarded, as by a trigger; nothing of them was written."""
    unanswerable: frozenset[UUID] = frozenset()
    """Those that are written, but of which a trigger stored what no answer can express."""


class UnitOfWork(Protocol):
    """Collects what a use case changed and commits all of it or nothing.

    Leaving the context without `commit` drops everything that was staged.
    """

    executions: ExecutionRepository
    """Reads see what was committed, not what is staged here."""
    queue: ExecutionQueue
    events: EventBus

    async def __aenter__(self) -> Self:
        """Begins with nothing staged."""
        ...

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Drops what was not committed."""
        ...

    async def answered(self, key: IdempotencyKey, since: datetime) -> Execution | None:
        """The execution as the retry with this key left it, if that was retried after `since`.

        Raises:
            IdempotencyKeyReused: it is the key of a request of another kind.
            StorageUnavailable: the storage did not answer.
        """
        ...

    def record(
        self,
        retry: Retry,
        key: IdempotencyKey | None = None,
        reservation_id: UUID | None = None,
    ) -> None:
        """Stages the execution's new state, the archived attempt, and the answer for `key`.

        A `reservation_id` marks the attempt for `KeptAnswers.retried_under`.
        """
        ...

    async def commit(self, *, wait: bool = True) -> CommitOutcome:
        """Writes everything staged as one atomic change.

        An execution is written if its status, `retry_count` and rule are as they were read
        (compare-and-swap); otherwise it lost: it is left as it is, and so are its attempt, job and
        event; the others are written. So of concurrent retries of one execution exactly one wins.
        What is archived is what the reset clears, even if it was changed since it was read. Where
        somebody else committed an answer for a key of this unit of work meanwhile, all of its
        executions lose.

        An execution that others have locked is waited for; without `wait` it loses, and what is
        large may be left out of the outcome.

        Raises:
            AttemptArchived: an attempt of that number is archived already, as after somebody set
                `retry_count` back; nothing was written.
            StorageFailed: the storage refused it; nothing was written.
            StorageUnavailable: the outcome is unknown, all or nothing.
        """
        ...


NewUnitOfWork = Callable[[], UnitOfWork]
"""Creates a unit of work, to be entered once."""
