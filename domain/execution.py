"""An automation execution and its one transition: failed → pending.

Fields and names are those of AlgaPSA's table `automation_executions`, plus `retry_count`.
"""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from attrs import evolve, field, frozen
from attrs.validators import instance_of

from automation_retry.domain import payload, validators
from automation_retry.domain.errors import ExecutionNotFailed, UnreadableExecution
from automation_retry.domain.execution_status import ExecutionStatus, UnknownStatus
from automation_retry.domain.payload import ExecutionLog, Json
from automation_retry.domain.principal import Principal
from automation_retry.domain.validators import MAX_RETRY_COUNT

CLEARED: Final = (
    "started_at",
    "completed_at",
    "duration_ms",
    "actions_successful",
    "actions_failed",
    "error_message",
    "error_stack",
    "failed_action_index",
)
"""The fields that a retry resets; the archived `FailedAttempt` keeps their old values."""

PAYLOADS: Final = ("trigger_data", "execution_context", "logs")


@frozen(kw_only=True)
class FailedAttempt:
    """A failed run as a retry archived it: the cleared values, and who retried it when."""

    tenant: UUID
    execution_id: UUID
    attempt: int = field(validator=validators.attempt)
    """Counts from 1; equals the execution's `retry_count` after this retry."""
    retried_at: datetime = field(validator=validators.moment)
    retried_by: UUID
    api_key_id: UUID | None = None
    request_id: str | None = None
    reason: str | None = field(default=None, validator=validators.text_or_none)
    """Why it was retried, in the words of whoever did."""
    started_at: datetime | None = field(validator=validators.moment_or_none)
    completed_at: datetime | None = field(default=None, validator=validators.moment_or_none)
    duration_ms: float | None = field(default=None, validator=validators.duration)
    actions_successful: int | None = field(validator=validators.count_or_none)
    actions_failed: int | None = field(validator=validators.count_or_none)
    error_message: str | None = field(default=None, validator=validators.text_or_none)
    error_stack: str | None = field(default=None, validator=validators.text_or_none)
    failed_action_index: int | None = None
    truncated: frozenset[str] = frozenset()
    """Fields that were left out because of their size; they are None here."""
    unreadable: frozenset[str] = frozenset()
    """Fields whose archived values are out of range, as an infinite time; they are None here."""


@frozen(kw_only=True)
class ExecutionRetried:
    """Domain event: a failed execution went back to pending."""

    tenant: UUID
    execution_id: UUID
    automation_rule_id: UUID
    attempt: int
    """The execution's new `retry_count`: the generation of the next run."""
    retried_at: datetime
    retried_by: UUID
    api_key_id: UUID | None = None
    request_id: str | None = None
    reason: str | None = field(default=None, validator=validators.text_or_none)


@frozen(kw_only=True)
class Retry:
    """The outcome of `Execution.retry`: the new state, the archived run and the event."""

    before: "Execution"
    execution: "Execution"
    failed_attempt: FailedAttempt
    event: ExecutionRetried


@frozen(kw_only=True)
class Execution:
    """One run of an automation rule. Times are aware; `duration_ms` is in milliseconds.

    Other programs write executions as well, so what is optional may be missing, and payloads hold
    whatever JSON holds. Only what a retry decides on has been checked: ids, status, `retry_count`.
    """

    tenant: UUID = field(validator=instance_of(UUID))
    execution_id: UUID = field(validator=instance_of(UUID))
    automation_rule_id: UUID = field(validator=instance_of(UUID))
    status: ExecutionStatus | UnknownStatus = field(
        validator=instance_of((ExecutionStatus, UnknownStatus))
    )
    started_at: datetime | None = field(validator=validators.moment_or_none)
    completed_at: datetime | None = field(default=None, validator=validators.moment_or_none)
    duration_ms: float | None = field(default=None, validator=validators.duration)
    actions_total: int = field(validator=validators.count)
    actions_successful: int = field(default=0, validator=validators.count)
    actions_failed: int = field(default=0, validator=validators.count)
    error_message: str | None = field(default=None, validator=validators.text_or_none)
    error_stack: str | None = field(default=None, validator=validators.text_or_none)
    failed_action_index: int | None = field(default=None, validator=validators.whole_or_none)
    trigger_data: Json | None = field(default=Json("{}"), converter=payload.payload)
    execution_context: Json | None = field(default=Json("{}"), converter=payload.payload)
    logs: ExecutionLog | None = field(default=ExecutionLog("[]"), converter=payload.log)
    retry_count: int = field(default=0, validator=validators.generation)
    """How often it was retried. It fences results: one of an older generation is ignored."""
    truncated: frozenset[str] = frozenset()
    """Payloads and texts that were left out because of their size; they are None here."""
    unreadable: frozenset[str] = frozenset()
    """Cleared fields whose stored values are out of range; they are None here, counters 0."""
    revision: int | None = field(default=None, eq=False, repr=False)
    """The storage's own mark of the payloads that it read; None where it has none."""

    @property
    def retryable(self) -> bool:
        """Whether `retry` would succeed: it is failed, and can be counted once more."""
        return self.status is ExecutionStatus.FAILED and self.retry_count < MAX_RETRY_COUNT

    def retry(
        self,
        *,
        at: datetime,
        by: Principal,
        request_id: str | None = None,
        reason: str | None = None,
        archived: int = 0,
    ) -> Retry:
        """Puts a failed execution back to pending; what is cleared from it is archived.

        `reason` is why, in the caller's words; it goes with the archived attempt and the event.
        `archived` is the highest number of an archived attempt, if that is known to be ahead of
        `retry_count`, as after somebody set that back. No number is used twice, since it fences
        the results of engines.

        Raises:
            ExecutionNotFailed: the status is not `failed`.
            UnreadableExecution: `retry_count` is at the end of its range.
        """
        if self.status is not ExecutionStatus.FAILED:
            raise ExecutionNotFailed(self.execution_id, self.status, self.retry_count)
        attempt = max(self.retry_count, archived) + 1
        if attempt > MAX_RETRY_COUNT:
            raise UnreadableExecution(self.execution_id, ["retry_count"])
        made: dict[str, Any] = {
            "tenant": self.tenant,
            "execution_id": self.execution_id,
            "attempt": attempt,
            "retried_at": at,
            "retried_by": by.user_id,
            "api_key_id": by.api_key_id,
            "request_id": request_id,
            "reason": reason,
        }
        return Retry(
            before=self,
            execution=evolve(
                self,
                status=ExecutionStatus.PENDING,
                started_at=at,
                completed_at=None,
                duration_ms=None,
                actions_successful=0,
                actions_failed=0,
                error_message=None,
                error_stack=None,
                failed_action_index=None,
                retry_count=attempt,
                truncated=self.truncated.difference(CLEARED),
                unreadable=frozenset(),
            ),
            failed_attempt=FailedAttempt(
                **made,
                **{name: getattr(self, name) for name in CLEARED},
                truncated=self.truncated.intersection(CLEARED),
                unreadable=self.unreadable,
            ),
            event=ExecutionRetried(**made, automation_rule_id=self.automation_rule_id),
        )
