from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from automation_retry.application.paging import Page, PageRequest
from automation_retry.domain import Execution, FailedAttempt


class ExecutionRepository(Protocol):
    """The executions of all tenants; each is accessible only through its tenant."""

    async def get(self, tenant: UUID, execution_id: UUID) -> Execution:
        """The execution as last committed.

        Raises:
            ExecutionNotFound: the tenant has no such execution.
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

    async def add(self, executions: Sequence[Execution]) -> None:
        """Stores new executions, all or none. For seeding: it is the engine that creates them.

        Raises:
            ValueError: one of the ids exists already.
            StorageUnavailable: the storage did not answer.
        """
        ...

    async def report(self, result: Execution) -> bool:
        """Stores the result of a run as an engine does, `WHERE retry_count = <the result's>`.

        For engines in the same process, such as the demo's.

        Returns:
            Whether it was stored; False when it belongs to an older attempt, or when there is no
            such execution.

        Raises:
            StorageUnavailable: the storage did not answer.
        """
        ...
