"""The committed state of all tenants."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from attrs import define, evolve, field

from automation_retry.adapters.memory.idempotency_keys import IdempotencyRecords
from automation_retry.adapters.memory.identities import Identities
from automation_retry.adapters.memory.outbox_messages import OutboxMessages
from automation_retry.adapters.staging import Staged, Written
from automation_retry.application import AttemptArchived, ExecutionNotFound
from automation_retry.application.ports import CommitOutcome
from automation_retry.domain import CLEARED, Execution, ExecutionStatus, FailedAttempt, Retry

Key = tuple[UUID, UUID]
"""The tenant and the execution_id."""


def _key(subject: Execution | FailedAttempt) -> Key:
    return subject.tenant, subject.execution_id


@define(eq=False)
class MemoryStore:
    """What is committed. No method awaits, so each is atomic among tasks."""

    _executions: dict[UUID, dict[UUID, Execution]] = field(
        init=False, factory=lambda: defaultdict(dict)
    )
    _failed_attempts: dict[Key, tuple[FailedAttempt, ...]] = field(init=False, factory=dict)
    _reserved_attempts: dict[tuple[UUID, UUID], dict[UUID, int]] = field(init=False, factory=dict)
    """The attempts of executions, by the tenant and the reservation under which they were made."""
    messages: OutboxMessages = field(init=False, factory=OutboxMessages)
    identities: Identities = field(init=False, factory=Identities)
    answers: IdempotencyRecords = field(init=False, factory=IdempotencyRecords)

    def execution(self, tenant: UUID, execution_id: UUID) -> Execution:
        """Raises ExecutionNotFound when the tenant has no such execution."""
        stored = self._find((tenant, execution_id))
        if stored is None:
            raise ExecutionNotFound(execution_id)
        return stored

    def executions(self, tenant: UUID) -> Collection[Execution]:
        """All executions of the tenant, in no order."""
        return self._executions.get(tenant, {}).values()

    def failed_attempts(self, tenant: UUID, execution_id: UUID) -> Sequence[FailedAttempt]:
        """Oldest first. Raises ExecutionNotFound when the tenant has no such execution."""
        self.execution(tenant, execution_id)
        archived = self._failed_attempts.get((tenant, execution_id), ())
        return sorted(archived, key=lambda one: one.attempt)

    def add(self, executions: Sequence[Execution]) -> None:
        """Raises ValueError, and adds none, when one of the ids exists already."""
        new = {_key(execution) for execution in executions}
        if len(new) < len(executions) or any(self._find(key) for key in new):
            raise ValueError("an execution with one of these ids exists already")
        self._put(executions)

    def report(self, result: Execution) -> bool:
        """Stores the result of a run as an engine does, fenced by `retry_count`.

        Returns False, and changes nothing, for another attempt or an unknown execution.
        """
        stored = self._find(_key(result))
        if stored is None or stored.retry_count != result.retry_count:
            return False
        self.overwrite(result)
        return True

    def overwrite(self, execution: Execution) -> None:
        """Stores an execution unconditionally, as an operator's SQL could."""
        self._put([execution])

    def remove(self, tenant: UUID, execution_id: UUID) -> None:
        """Deletes an execution, as an operator's SQL could; its attempts stay."""
        del self._executions[tenant][execution_id]

    def last_attempt(self, tenant: UUID, execution_id: UUID) -> int:
        """The highest number of an attempt of the execution; 0 if there is none."""
        key = tenant, execution_id
        archived = [one.attempt for one in self._failed_attempts.get(key, ())]
        return max(*archived, self.messages.last_attempt(*key), 0)

    def retried_under(self, tenant: UUID, reservation_id: UUID) -> Mapping[UUID, int]:
        """The attempts that were made under a reservation, by execution."""
        return self._reserved_attempts.get((tenant, reservation_id), {})

    def commit(self, staged: Staged, at: datetime) -> Written:
        """Writes the retries of unchanged executions with their messages.

        Raises:
            AttemptArchived: an attempt or a message exists already; nothing was written.
        """
        retries = staged.retries
        ids = frozenset(retry.execution.execution_id for retry in retries)
        if self.answers.any_kept(staged.keys):
            return Written(CommitOutcome(lost=ids), in_outbox=False)
        won = {_key(retry.execution): retry for retry in retries if self._unchanged(retry)}
        sent = [one for one in staged.messages if (one.tenant, one.execution_id) in won]
        for key, retry in won.items():
            self._check_new(key, retry.failed_attempt.attempt)
        self.messages.check_new(sent)
        changed = {key: self._retried(retry) for key, retry in won.items()}
        for key, retry in won.items():
            archived = self._failed_attempts.get(key, ())
            self._failed_attempts[key] = (*archived, self._archived(retry))
            if reservation_id := staged.reservations.get(key):
                reserved = self._reserved_attempts.setdefault((key[0], reservation_id), {})
                reserved[key[1]] = retry.failed_attempt.attempt
        self._put(changed.values())
        self.messages.add(sent, at)
        committed = {execution_id: execution for (_, execution_id), execution in changed.items()}
        for idempotency_key, execution_id in staged.keys.items():
            retried = won.get((idempotency_key.tenant, execution_id))
            if retried:
                retried_at = retried.failed_attempt.retried_at
                self.answers.add(idempotency_key, committed[execution_id], retried_at)
        outcome = CommitOutcome(committed=committed, lost=ids - committed.keys())
        return Written(outcome, in_outbox=bool(sent))

    def _find(self, key: Key) -> Execution | None:
        tenant, execution_id = key
        return self._executions.get(tenant, {}).get(execution_id)

    def _put(self, executions: Iterable[Execution]) -> None:
        for execution in executions:
            self._executions[execution.tenant][execution.execution_id] = execution

    def _unchanged(self, retry: Retry) -> bool:
        before = retry.before
        stored = self._find(_key(before))
        return (
            stored is not None
            and stored.status is ExecutionStatus.FAILED
            and stored.retry_count == before.retry_count
            and stored.automation_rule_id == before.automation_rule_id
        )

    def _check_new(self, key: Key, attempt: int) -> None:
        if attempt in (one.attempt for one in self._failed_attempts.get(key, ())):
            raise AttemptArchived

    def _retried(self, retry: Retry) -> Execution:
        """The stored execution with what a retry changes; the rest may have changed meanwhile."""
        stored = self.execution(*_key(retry.execution))
        if stored == retry.before:
            return retry.execution
        names = ("status", "retry_count", "truncated", "unreadable", *CLEARED)
        return evolve(stored, **{name: getattr(retry.execution, name) for name in names})

    def _archived(self, retry: Retry) -> FailedAttempt:
        """The attempt with the values that are cleared, which may have changed meanwhile."""
        stored = self.execution(*_key(retry.execution))
        names = ("unreadable", *CLEARED)
        return evolve(retry.failed_attempt, **{name: getattr(stored, name) for name in names})
