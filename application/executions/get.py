from uuid import UUID

from attrs import frozen

from automation_retry.application.ports import UNBOUNDED, Authorizer, Budget, ExecutionRepository
from automation_retry.domain import (
    AUTOMATION_EXECUTE,
    AUTOMATION_READ,
    Execution,
    Principal,
    UnreadableExecution,
    parse_execution_id,
)


@frozen(kw_only=True)
class ExecutionSeen:
    """An execution as one principal sees it."""

    execution: Execution
    may_retry: bool
    """Whether a retry by this principal would be allowed now."""


@frozen
class GetExecution:
    """Reads one execution of the principal's tenant."""

    authorizer: Authorizer
    executions: ExecutionRepository
    budget: Budget = UNBOUNDED

    async def __call__(self, principal: Principal, execution_id: UUID | str) -> ExecutionSeen:
        """The execution as last committed.

        Raises:
            PermissionDenied: the principal lacks `automation:read`.
            InvalidExecutionId: the text is not an execution id.
            ExecutionNotFound: the principal's tenant has no such execution.
            UnreadableExecution: stored values are out of range, as an infinite time.
            StorageUnavailable: the storage did not answer.
        """
        await self.authorizer.require(principal, AUTOMATION_READ)
        wanted = parse_execution_id(str(execution_id))
        with self.budget():
            execution = await self.executions.get(principal.tenant, wanted)
        if execution.unreadable:
            raise UnreadableExecution(wanted, sorted(execution.unreadable))
        may_execute = await self.authorizer.permits(principal, AUTOMATION_EXECUTE)
        return ExecutionSeen(execution=execution, may_retry=execution.retryable and may_execute)
