from uuid import UUID

from attrs import frozen

from automation_retry.application.errors import IdempotencyKeyReused, RetryConflict
from automation_retry.application.idempotency import LIFETIME, IdempotencyKey, Retried
from automation_retry.application.messages import ExecutionJob, RetriedEvent
from automation_retry.application.ports import Authorizer, Clock, NewId, NewUnitOfWork, UnitOfWork
from automation_retry.domain import (
    AUTOMATION_EXECUTE,
    ExecutionNotFailed,
    Principal,
    parse_execution_id,
)

# Every lost race means that somebody else's change was committed, so one reload nearly always
# settles it; the bound only keeps a storage whose reads lag behind from holding a caller for ever.
_MAX_ROUNDS = 8


@frozen
class RetryExecution:
    """Puts a failed execution back to pending: archived, queued, announced, or nothing at all."""

    authorizer: Authorizer
    new_unit_of_work: NewUnitOfWork
    clock: Clock
    new_id: NewId

    async def __call__(
        self,
        principal: Principal,
        execution_id: UUID | str,
        *,
        request_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> Retried:
        """The execution as committed; its job and event are committed with it.

        Checked in this order: permission, form of the id and of the key, the key, existence, state.
        With an `idempotency_key`, asking again within 24 hours answers the first retry again and
        does nothing else; a retry that was refused leaves no trace of its key.

        Raises:
            PermissionDenied: the principal lacks `automation:execute`.
            InvalidExecutionId: the text is not an execution id.
            InvalidIdempotencyKey: the text is not 1 to 255 printable ASCII characters.
            IdempotencyKeyReused: the key belongs to the retry of another execution.
            ExecutionNotFound: the principal's tenant has no such execution.
            ExecutionNotFailed: only a failed execution may be retried.
            RetryConflict: others kept changing the execution; nothing was written.
            StorageUnavailable: all or nothing was written.
        """
        await self.authorizer.require(principal, AUTOMATION_EXECUTE)
        wanted = parse_execution_id(str(execution_id))
        key = IdempotencyKey.of(principal, idempotency_key) if idempotency_key is not None else None
        for _ in range(_MAX_ROUNDS):
            async with self.new_unit_of_work() as work:
                if key and (replayed := await self._replayed(work, key, wanted)):
                    return replayed
                execution = await work.executions.get(principal.tenant, wanted)
                try:
                    retry = execution.retry(at=self.clock(), by=principal, request_id=request_id)
                except ExecutionNotFailed:
                    # A twin with the same key may have been committed since it was looked up.
                    if key and (replayed := await self._replayed(work, key, wanted)):
                        return replayed
                    raise
                work.record(retry, key)
                await work.queue.enqueue(
                    [
                        ExecutionJob(
                            id=self.new_id(),
                            tenant=retry.event.tenant,
                            execution_id=retry.event.execution_id,
                            automation_rule_id=retry.event.automation_rule_id,
                            attempt=retry.event.attempt,
                            requested_at=retry.event.retried_at,
                            requested_by=retry.event.retried_by,
                            request_id=request_id,
                        )
                    ]
                )
                await work.events.publish([RetriedEvent(id=self.new_id(), retried=retry.event)])
                if not await work.commit():
                    return Retried(execution=retry.execution)
        raise RetryConflict(wanted)

    async def _replayed(
        self, work: UnitOfWork, key: IdempotencyKey, wanted: UUID
    ) -> Retried | None:
        """The first answer to the key again, if it was given one."""
        earlier = await work.answered(key, self.clock() - LIFETIME)
        if earlier is None:
            return None
        if earlier.execution_id != wanted:
            raise IdempotencyKeyReused(key.text)
        return Retried(execution=earlier, replayed=True)
