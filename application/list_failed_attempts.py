from uuid import UUID

from attrs import frozen

from automation_retry.application.ports import Authorizer, ExecutionRepository, Page
from automation_retry.domain import AUTOMATION_READ, FailedAttempt, Principal, parse_execution_id


@frozen
class ListFailedAttempts:
    """What the retries of one execution archived."""

    authorizer: Authorizer
    executions: ExecutionRepository

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
        if page < 1 or limit < 1:
            raise ValueError(f"page and limit count from 1, got page={page} and limit={limit}")
        await self.authorizer.require(principal, AUTOMATION_READ)
        wanted = parse_execution_id(str(execution_id))
        return await self.executions.failed_attempts(
            principal.tenant, wanted, page=page, limit=limit
        )
