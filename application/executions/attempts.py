from uuid import UUID

from attrs import frozen

from automation_retry.application.paging import Page, PageRequest
from automation_retry.application.ports import UNBOUNDED, Authorizer, Budget, ExecutionRepository
from automation_retry.domain import AUTOMATION_READ, FailedAttempt, Principal, parse_execution_id


@frozen
class ListFailedAttempts:
    """Lists the failed runs of one execution that retries archived."""

    authorizer: Authorizer
    executions: ExecutionRepository
    budget: Budget = UNBOUNDED

    async def __call__(
        self, principal: Principal, execution_id: UUID | str, *, page: int = 1, limit: int = 25
    ) -> Page[FailedAttempt]:
        """One page of the archived attempts, newest first; `page` counts from 1.

        Raises:
            ValueError: `page` or `limit` is less than 1.
            PermissionDenied: the principal lacks `automation:read`.
            InvalidExecutionId: the text is not an execution id.
            ExecutionNotFound: the principal's tenant has no such execution.
            StorageUnavailable: the storage did not answer.
        """
        request = PageRequest(page=page, limit=limit)
        await self.authorizer.require(principal, AUTOMATION_READ)
        wanted = parse_execution_id(str(execution_id))
        with self.budget():
            return await self.executions.failed_attempts(principal.tenant, wanted, request)
