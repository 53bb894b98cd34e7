from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar
from uuid import UUID

from attrs import frozen

from automation_retry.domain import Execution, FailedAttempt

Item = TypeVar("Item")


@frozen(kw_only=True)
class Page(Generic[Item]):
    """One page of a listing; `total` counts all of it."""

    items: Sequence[Item]
    page: int
    limit: int
    total: int


class ExecutionRepository(Protocol):
    """The executions of all tenants, each reachable only through its own."""

    async def get(self, tenant: UUID, execution_id: UUID) -> Execution:
        """The execution as last committed.

        Raises:
            ExecutionNotFound: the tenant has no such execution.
            StorageUnavailable: the storage did not answer.
        """
        ...

    async def failed_attempts(
        self, tenant: UUID, execution_id: UUID, *, page: int, limit: int
    ) -> Page[FailedAttempt]:
        """The archived attempts of an execution, newest first; `page` counts from 1.

        Raises:
            ExecutionNotFound: the tenant has no such execution.
            StorageUnavailable: the storage did not answer.
        """
        ...

    async def add(self, executions: Sequence[Execution]) -> None:
        """Stores new executions, all or none: an engine's move, for seeds and tests.

        Raises:
            ValueError: one of the ids is taken.
            StorageUnavailable: the storage did not answer.
        """
        ...
