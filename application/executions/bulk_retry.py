import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final
from uuid import UUID

from attrs import define, evolve, field, frozen

from automation_retry.application.errors import (
    AttemptArchived,
    ExecutionNotFound,
    RetryConflict,
    RetryNotStored,
    StorageFailed,
)
from automation_retry.application.executions.bulk_answer import (
    BulkRetried,
    RefusedExecution,
    RetriedExecution,
)
from automation_retry.application.executions.staging import stage
from automation_retry.application.idempotency import IdempotencyKey
from automation_retry.application.ports import (
    UNBOUNDED,
    Authorizer,
    Budget,
    Clock,
    CommitOutcome,
    ExecutionRepository,
    KeptAnswers,
    NewId,
    NewUnitOfWork,
    Reservation,
    UnitOfWork,
)
from automation_retry.application.refusals import Refusal, RefusedRetry
from automation_retry.application.reserved import Reserved, reserved
from automation_retry.domain import (
    AUTOMATION_EXECUTE,
    Execution,
    ExecutionNotFailed,
    Principal,
    UnreadableExecution,
    is_reason,
    parse_execution_id,
)

MAX_IDS: Final = 100

# The pauses before each round, as parts of the patience. An execution that lost was changed, which
# a reload settles at once, or it is locked, perhaps for long: nobody waits for that with a
# connection, nor the others at all.
_PAUSES: Final = tuple(part / 63 for part in (0, 0, 1, 2, 4, 8, 16, 32))


@define
class _Run:
    """One bulk retry while it is worked on."""

    principal: Principal
    ids: Sequence[UUID]
    reason: str | None
    request_id: str | None
    reserved: Reserved | None = None
    results: dict[UUID, RetriedExecution | RefusedExecution] = field(init=False, factory=dict)
    archived: dict[UUID, int] = field(init=False, factory=dict)
    """The highest number of an attempt, where `retry_count` turned out to be behind."""

    @property
    def undecided(self) -> Sequence[UUID]:
        return [one for one in self.ids if one not in self.results]

    @property
    def reservation(self) -> Reservation | None:
        return None if self.reserved is None else self.reserved.reservation

    @property
    def reservation_id(self) -> UUID | None:
        return None if self.reserved is None else self.reserved.reservation.id

    def retried(self, execution_id: UUID, retry_count: int) -> None:
        self.results[execution_id] = RetriedExecution(
            execution_id=execution_id, retry_count=retry_count
        )

    def refuse(self, execution_id: UUID, error: RefusedRetry) -> None:
        self.results[execution_id] = RefusedExecution(
            execution_id=execution_id, refusal=Refusal.of(error), error=error
        )

    def settle(self, attempts: Mapping[UUID, int], outcome: CommitOutcome) -> None:
        """Notes what a commit did; those that lost stay undecided."""
        for execution_id, attempt in attempts.items():
            if execution_id in outcome.discarded:
                self.refuse(execution_id, RetryNotStored(execution_id))
            elif execution_id in outcome.unanswerable:
                self.retried(execution_id, attempt)
            elif execution_id in outcome.committed:
                self.retried(execution_id, outcome.committed[execution_id].retry_count)

    def answer(self) -> BulkRetried:
        return BulkRetried(results=[self.results[one] for one in self.ids])


@frozen
class BulkRetry:
    """Retries several failed executions; one that cannot be retried holds up no other."""

    authorizer: Authorizer
    new_unit_of_work: NewUnitOfWork
    kept_answers: KeptAnswers
    clock: Clock
    new_id: NewId
    budget: Budget = UNBOUNDED
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    """For a number of seconds."""
    patience_s: float = 1.6
    """How long those that lose their race or are locked are tried again; less than the budget."""

    async def __call__(
        self,
        principal: Principal,
        ids: Sequence[UUID | str],
        *,
        reason: str | None = None,
        request_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> BulkRetried:
        """What became of each execution; those that are retried have their job and their event.

        They are committed together, apart from those of which the storage refuses one, and from
        those that were changed or locked meanwhile: these are tried again for `patience_s` and then
        refused with `RetryConflict`. Repeated ids count once.

        With an `idempotency_key`, a repetition within 24 hours gets the first answer again and does
        nothing else. If the first ended without an answer, the repetition goes on with the rest.

        Raises:
            ValueError: there are not 1 to 100 ids, or `is_reason` is false for the reason.
            PermissionDenied: the principal lacks `automation:execute`.
            InvalidExecutionId: one of the texts is not an execution id; nothing was done.
            InvalidIdempotencyKey: the text is not 1 to 255 printable ASCII characters.
            IdempotencyKeyReused: the key was used for another request.
            RequestInProgress: the first request with the key has no answer yet.
            StorageUnavailable: each execution is retried or not; the key finds out which.
        """
        if not 1 <= len(ids) <= MAX_IDS:
            raise ValueError(f"a bulk retry takes 1 to {MAX_IDS} ids")
        if reason is not None and not is_reason(reason):
            raise ValueError("a reason has 1 to 500 characters that a storage can hold")
        await self.authorizer.require(principal, AUTOMATION_EXECUTE)
        wanted = [parse_execution_id(str(one)) for one in ids]
        run = _Run(principal, list(dict.fromkeys(wanted)), reason, request_id)
        if idempotency_key is None:
            with self.budget():
                return await self._answer(run)
        key = IdempotencyKey.of(principal, idempotency_key)
        new = self.new_id()
        with self.budget():
            async with reserved(
                self.kept_answers,
                Reservation(key=key, id=new, holder=new),
                _request(wanted, reason),
                self.clock(),
            ) as run.reserved:
                if run.reserved.answer is not None:
                    return BulkRetried.of_json(run.reserved.answer)
                answer = await self._answer(run)
                await self.kept_answers.keep(run.reserved.reservation, answer.to_json())
                return answer

    async def _answer(self, run: _Run) -> BulkRetried:
        for part in _PAUSES:
            if part:
                await self.pause(part * self.patience_s)
            await self._commit(run, await self._loaded(run))
            if not run.undecided:
                break
        for execution_id in run.undecided:
            run.refuse(execution_id, RetryConflict(execution_id))
        return run.answer()

    async def _loaded(self, run: _Run) -> Sequence[Execution]:
        """Those that are undecided still; what cannot be read is refused."""
        async with self.new_unit_of_work() as work:
            found = await asyncio.gather(
                *(self._read(work.executions, run, one) for one in run.undecided)
            )
        if run.reservation and run.reservation.taken_over:
            # Looked up after the executions were read: an earlier holder may still be at work.
            done = await self.kept_answers.retried_under(run.reservation, run.ids)
            for execution_id, attempt in done.items():
                run.retried(execution_id, attempt)
        undecided = frozenset(run.undecided)
        return [one for one in found if one and one.execution_id in undecided]

    async def _read(
        self, executions: ExecutionRepository, run: _Run, execution_id: UUID
    ) -> Execution | None:
        try:
            execution = await executions.get(run.principal.tenant, execution_id)
        except (ExecutionNotFound, UnreadableExecution, StorageFailed) as error:
            run.refuse(execution_id, error)
            return None
        # Neither the decision nor the answer needs them, and a hundred could be gigabytes.
        return evolve(execution, trigger_data=None, execution_context=None, logs=None)

    async def _commit(self, run: _Run, executions: Sequence[Execution]) -> None:
        """Commits them together; if the storage refuses that because of one, in halves."""
        async with self.new_unit_of_work() as work:
            attempts = self._stage(work, run, executions)
            if not attempts:
                return
            if run.reserved:
                run.reserved.may_have_written = True
            try:
                run.settle(attempts, await work.commit(wait=False))
            except (AttemptArchived, StorageFailed) as error:
                refused = error
            else:
                return
        if len(attempts) > 1:
            staged = [one for one in executions if one.execution_id in attempts]
            middle = len(staged) // 2
            await self._commit(run, staged[:middle])
            await self._commit(run, staged[middle:])
            return
        [execution_id] = attempts
        if isinstance(refused, StorageFailed):
            run.refuse(execution_id, refused)
        else:
            run.archived[execution_id] = await work.executions.last_attempt(
                run.principal.tenant, execution_id
            )

    def _stage(
        self, work: UnitOfWork, run: _Run, executions: Sequence[Execution]
    ) -> Mapping[UUID, int]:
        """The attempts that are staged, by execution; what the domain refuses is refused."""
        at = self.clock()
        attempts: dict[UUID, int] = {}
        for execution in executions:
            try:
                retry = execution.retry(
                    at=at,
                    by=run.principal,
                    request_id=run.request_id,
                    reason=run.reason,
                    archived=run.archived.get(execution.execution_id, 0),
                )
            except (ExecutionNotFailed, UnreadableExecution) as error:
                run.refuse(execution.execution_id, error)
                continue
            stage(work, retry, self.new_id, reservation_id=run.reservation_id)
            attempts[execution.execution_id] = retry.failed_attempt.attempt
        return attempts


def _request(ids: Sequence[UUID], reason: str | None) -> str:
    """Says what is asked for; as long whatever that is."""
    asked = json.dumps({"ids": [str(one) for one in ids], "reason": reason})
    return f"bulk-retry {hashlib.sha256(asked.encode()).hexdigest()}"
