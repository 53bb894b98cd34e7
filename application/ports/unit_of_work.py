from collections.abc import Callable
from datetime import datetime
from types import TracebackType
from typing import Protocol, Self
from uuid import UUID

from automation_retry.application.idempotency import IdempotencyKey
from automation_retry.application.ports.event_bus import EventBus
from automation_retry.application.ports.execution_queue import ExecutionQueue
from automation_retry.application.ports.execution_repository import ExecutionRepository
from automation_retry.domain import Execution, Retry


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
            StorageUnavailable: the storage did not answer.
        """
        ...

    def record(self, retry: Retry, key: IdempotencyKey | None = None) -> None:
        """Stages the execution's new state, the archived attempt, and the answer for `key`."""
        ...

    async def commit(self) -> frozenset[UUID]:
        """Writes everything staged as one atomic change; returns the ids that lost their race.

        Jobs and events are written together with the recorded retry of their execution, and not
        without it.

        An execution that changed since it was read loses (compare-and-swap): it is left as it is,
        and its attempt, job and event are not written; the others are. So of concurrent retries of
        one execution exactly one wins. Where somebody else committed an answer for a key of this
        unit of work meanwhile, all of its executions lose.

        Raises:
            ValueError: an attempt of that number is archived already, as after somebody set
                `retry_count` back; nothing was written.
            StorageUnavailable: the outcome is unknown, all or nothing.
        """
        ...


NewUnitOfWork = Callable[[], UnitOfWork]
"""Creates a unit of work, to be entered once."""
