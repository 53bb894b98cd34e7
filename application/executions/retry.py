from collections.abc import Callable
from uuid import UUID

from attrs import frozen

from automation_retry.application.errors import (
    AttemptArchived,
    IdempotencyKeyReused,
    RetryConflict,
    RetryNotStored,
    StorageUnavailable,
)
from automation_retry.application.executions.staging import stage
from automation_retry.application.idempotency import LIFETIME, IdempotencyKey
from automation_retry.application.ports import (
    UNBOUNDED,
    Authorizer,
    Budget,
    Clock,
    CommitOutcome,
    NewId,
    NewUnitOfWork,
    UnitOfWork,
)
from automation_retry.domain import (
    AUTOMATION_EXECUTE,
    Execution,
    ExecutionNotFailed,
    Principal,
    parse_execution_id,
)

# A lost compare-and-swap means that somebody else committed, so one reload nearly always settles
# it. The bound protects the caller from a storage whose reads lag behind its writes.
_MAX_ROUNDS = 8

_NO_ANSWER = "the retry is committed, but what was stored has no answer"


@frozen(kw_only=True)
class Retried:
    """The answer to a retry."""

    execution: Execution
    """As committed."""
    replayed: bool = False
    """Whether this repeats the answer to an earlier retry, and nothing was done now."""


@frozen
class RetryExecution:
    """Retries a failed execution: reset, archived, queued and announced, or nothing at all."""

    authorizer: Authorizer
    new_unit_of_work: NewUnitOfWork
    clock: Clock
    new_id: NewId
    budget: Budget = UNBOUNDED

    async def __call__(
        self,
        principal: Principal,
        execution_id: UUID | str,
        *,
        request_id: str | None = None,
        idempotency_key: str | None = None,
        prepare: Callable[[Execution], None] | None = None,
    ) -> Retried:
        """The execution as committed, together with its job and its event.

        Checks in this order: permission, form of the id and of the key, the key, existence, state.
        With an `idempotency_key`, a repetition within 24 hours gets the first answer again and does
        nothing else; a refused retry leaves no record of its key.

        `prepare` is called with the execution as it is about to be committed. What it raises is
        raised here, and nothing is written; so a caller whose own work on the answer may fail does
        it there. It is called again after a lost race, and where something else was committed, as
        a rounded time; the last call is about what is returned.

        Raises:
            PermissionDenied: the principal lacks `automation:execute`.
            InvalidExecutionId: the text is not an execution id.
            InvalidIdempotencyKey: the text is not 1 to 255 printable ASCII characters.
            IdempotencyKeyReused: the key was used for another request.
            ExecutionNotFound: the principal's tenant has no such execution.
            ExecutionNotFailed: only a failed execution can be retried.
            UnreadableExecution: stored values are out of range; nothing was written.
            RetryConflict: the execution kept changing; nothing was written.
            RetryNotStored: the database discarded the update; nothing was written.
            StorageFailed: the storage refused the retry; nothing was written.
            StorageUnavailable: the outcome is unknown, all or nothing.
        """
        await self.authorizer.require(principal, AUTOMATION_EXECUTE)
        wanted = parse_execution_id(str(execution_id))
        key = IdempotencyKey.of(principal, idempotency_key) if idempotency_key is not None else None
        archived = 0
        with self.budget():
            for _ in range(_MAX_ROUNDS):
                async with self.new_unit_of_work() as work:
                    if key and (replayed := await self._replayed(work, key, wanted)):
                        return replayed
                    execution = await work.executions.get(principal.tenant, wanted)
                    at = self.clock()
                    try:
                        retry = execution.retry(
                            at=at, by=principal, request_id=request_id, archived=archived
                        )
                    except ExecutionNotFailed:
                        # A concurrent request with the same key may have committed meanwhile.
                        if key and (replayed := await self._replayed(work, key, wanted)):
                            return replayed
                        raise
                    stage(work, retry, self.new_id, key=key)
                    if prepare:
                        prepare(retry.execution)
                    try:
                        outcome = await work.commit()
                    except AttemptArchived:
                        archived = await work.executions.last_attempt(principal.tenant, wanted)
                        continue
                    if committed := _committed(outcome, wanted):
                        if prepare and committed is not retry.execution:
                            _prepare_again(prepare, committed)
                        return Retried(execution=committed)
        raise RetryConflict(wanted)

    async def _replayed(
        self, work: UnitOfWork, key: IdempotencyKey, wanted: UUID
    ) -> Retried | None:
        """The answer that is kept for the key, if there is one."""
        earlier = await work.answered(key, self.clock() - LIFETIME)
        if earlier is None:
            return None
        if earlier.execution_id != wanted:
            raise IdempotencyKeyReused(key.text)
        return Retried(execution=earlier, replayed=True)


def _committed(outcome: CommitOutcome, wanted: UUID) -> Execution | None:
    """The execution as committed; None if it lost its race."""
    if wanted in outcome.discarded:
        raise RetryNotStored(wanted)
    if wanted in outcome.unanswerable:
        raise StorageUnavailable(_NO_ANSWER)
    return outcome.committed.get(wanted)


def _prepare_again(prepare: Callable[[Execution], None], committed: Execution) -> None:
    try:
        prepare(committed)
    except Exception as error:
        raise StorageUnavailable(_NO_ANSWER) from error
