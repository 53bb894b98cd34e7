from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from automation_retry.application.paging import Page, PageRequest
from automation_retry.domain import Execution, FailedAttempt


class ExecutionRepository(Protocol):
    """The executions of all tenants; each is accessible only through its tenant."""

    async def get(self, tenant: UUID, execution_id: UUID) -> Execution:
        """The execution as last committed.

        Other programs write executions, too: what cannot be expressed of the fields that a retry
        clears is named in `unreadable`, what is too large to be read in `truncated`.

        Raises:
            ExecutionNotFound: the tenant has no such execution.
            UnreadableExecution: a value that a retry keeps, or decides on, is out of range.
            StorageUnavailable: the storage did not answer.
        """
        ...

    async def failed_attempts(
        self, tenant: UUID, execution_id: UUID, request: PageRequest
    ) -> Page[FailedAttempt]:
        """A page of the archived attempts of an execution, newest first.

        Raises:
            ExecutionNotFound: the tenant has no such execution.
            StorageUnavailable: the storage did not answer.
        """
        ...

    async def last_attempt(self, tenant: UUID, execution_id: UUID) -> int:
        """The highest number that an attempt of the execution has used; 0 if there is none.

        Raises:
            StorageUnavailable: the storage did not answer.
        """
        ...

    async def add(self, executions: Sequence[Execution]) -> None:
        """Stores new executions, all or none. For seeding: it is the engine that creates them.

        Raises:
            ValueError: one of the ids exists already.
            StorageUnavailable: the storage did not answer.
        """
        ...

    async def report(self, result: Execution) -> bool:
        """Stores the result of a run as an engine does, `WHERE retry_count = <the result's>`.

        For engines in the same process, such as the demo's. Payloads that were truncated when the
        execution was read keep their stored values.

        Returns:
            Whether it was stored; False when it belongs to an older attempt, or when there is no
            such execution.

        Raises:
            StorageUnavailable: the storage did not answer.
        """
        ...
