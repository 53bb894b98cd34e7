"""The committed state of all tenants."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from attrs import define, evolve, field

from automation_retry.adapters.memory.idempotency_keys import IdempotencyRecords
from automation_retry.adapters.memory.identities import Identities
from automation_retry.adapters.memory.json_copy import own_copy
from automation_retry.adapters.memory.outbox_messages import OutboxMessages
from automation_retry.adapters.staging import Staged
from automation_retry.application import ExecutionNotFound
from automation_retry.domain import CLEARED, Execution, ExecutionStatus, FailedAttempt, Retry

Key = tuple[UUID, UUID]
"""The tenant and the execution_id."""


def _key(subject: Execution | FailedAttempt) -> Key:
    return subject.tenant, subject.execution_id


@define(eq=False)
class MemoryStore:
    """What is committed. No method awaits, so each is atomic among tasks.

    The JSON values of executions are copied on the way in and out.
    """

    _executions: dict[Key, Execution] = field(init=False, factory=dict)
    _failed_attempts: dict[Key, tuple[FailedAttempt, ...]] = field(init=False, factory=dict)
    messages: OutboxMessages = field(init=False, factory=OutboxMessages)
    identities: Identities = field(init=False, factory=Identities)
    answers: IdempotencyRecords = field(init=False, factory=IdempotencyRecords)

    def execution(self, tenant: UUID, execution_id: UUID) -> Execution:
        """Raises ExecutionNotFound when the tenant has no such execution."""
        return own_copy(self._stored(tenant, execution_id))

    def failed_attempts(self, tenant: UUID, execution_id: UUID) -> Sequence[FailedAttempt]:
        """Oldest first. Raises ExecutionNotFound when the tenant has no such execution."""
        self._stored(tenant, execution_id)
        archived = self._failed_attempts.get((tenant, execution_id), ())
        return sorted(archived, key=lambda one: one.attempt)

    def add(self, executions: Sequence[Execution]) -> None:
        """Raises ValueError, and adds none, when one of the ids exists already."""
        new = {_key(execution): own_copy(execution) for execution in executions}
        if len(new) < len(executions) or new.keys() & self._executions.keys():
            raise ValueError("an execution with one of these ids exists already")
        self._executions |= new

    def report(self, result: Execution) -> bool:
        """Stores the result of a run as an engine does, fenced by `retry_count`.

        Returns False, and changes nothing, for another attempt or an unknown execution.
        """
        stored = self._executions.get(_key(result))
        if stored is None or stored.retry_count != result.retry_count:
            return False
        self.overwrite(result)
        return True

    def overwrite(self, execution: Execution) -> None:
        """Stores an execution unconditionally, as an operator's SQL could."""
        self._executions[_key(execution)] = own_copy(execution)

    def commit(self, staged: Staged, at: datetime) -> frozenset[UUID]:
        """Writes the retries of unchanged executions with their messages; returns the other ids.

        Raises:
            ValueError: an attempt or a message exists already; nothing was written.
        """
        retries = staged.retries
        if self.answers.any_kept(staged.answers):
            return frozenset(retry.execution.execution_id for retry in retries)
        won = [retry for retry in retries if self._unchanged(retry)]
        self._check_new_attempts(won)
        kept = {_key(retry.execution) for retry in won}
        sent = [one for one in staged.messages if (one.tenant, one.execution_id) in kept]
        self.messages.check_new(sent)
        changed = {_key(retry.execution): self._retried(retry.execution) for retry in won}
        self._executions |= changed
        for retry in won:
            key = _key(retry.execution)
            archived = self._failed_attempts.get(key, ())
            self._failed_attempts[key] = (*archived, retry.failed_attempt)
        self.messages.add(sent, at)
        for idempotency_key, execution in staged.answers.items():
            if _key(execution) in kept:
                self.answers.add(idempotency_key, execution)
        return frozenset(
            retry.execution.execution_id for retry in retries if _key(retry.execution) not in kept
        )

    def _stored(self, tenant: UUID, execution_id: UUID) -> Execution:
        try:
            return self._executions[tenant, execution_id]
        except KeyError:
            raise ExecutionNotFound(execution_id) from None

    def _unchanged(self, retry: Retry) -> bool:
        attempt = retry.failed_attempt
        stored = self._executions.get(_key(attempt))
        return (
            stored is not None
            and stored.status is ExecutionStatus.FAILED
            and stored.retry_count == attempt.attempt - 1
            and all(getattr(stored, name) == getattr(attempt, name) for name in CLEARED)
        )

    def _check_new_attempts(self, retries: Sequence[Retry]) -> None:
        keys = set[Key]()
        for retry in retries:
            key, attempt = _key(retry.execution), retry.failed_attempt.attempt
            archived = (one.attempt for one in self._failed_attempts.get(key, ()))
            if key in keys or attempt in archived:
                raise ValueError(f"attempt {attempt} of execution {key[1]} is archived already")
            keys.add(key)

    def _retried(self, retried: Execution) -> Execution:
        """The stored execution with what a retry changes; the rest may have changed meanwhile."""
        changes = {name: getattr(retried, name) for name in ("status", "retry_count", *CLEARED)}
        return evolve(self._executions[_key(retried)], **changes)
