"""An automation execution and its one transition: failed → pending.

Fields and names are those of AlgaPSA's table `automation_executions`, plus `retry_count`.
"""

import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Final
from uuid import UUID

from attrs import Attribute, evolve, field, frozen
from attrs.validators import ge, instance_of

from automation_retry.domain.errors import ExecutionNotFailed
from automation_retry.domain.execution_status import ExecutionStatus
from automation_retry.domain.principal import Principal


class LogLevel(Enum):
    DEBUG = "debug"
    INFO = "info"
    WARN = "warn"
    ERROR = "error"


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


# Plain functions, because they run for every field of every execution: attrs' own validators,
# combined in lists, take several times as long as the rest of the construction.
def _moment(_instance: object, attribute: "Attribute[Any]", value: object) -> None:
    if not isinstance(value, datetime):
        raise TypeError(f"{attribute.name} must be a datetime, got {value!r}")
    if value.tzinfo is not UTC and value.utcoffset() is None:
        raise ValueError(f"{attribute.name} must carry a time zone, got {value!r}")


def _moment_or_none(instance: object, attribute: "Attribute[Any]", value: object) -> None:
    if value is not None:
        _moment(instance, attribute, value)


def _whole(_instance: object, attribute: "Attribute[Any]", value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{attribute.name} must be a whole number, got {value!r}")


def _whole_or_none(instance: object, attribute: "Attribute[Any]", value: object) -> None:
    if value is not None:
        _whole(instance, attribute, value)


def _count(instance: object, attribute: "Attribute[Any]", value: int) -> None:
    _whole(instance, attribute, value)
    if value < 0:
        raise ValueError(f"{attribute.name} must not be negative, got {value!r}")


def _duration(_instance: object, attribute: "Attribute[Any]", value: float | None) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{attribute.name} must be a number of ms from 0, got {value!r}")


def _text(_instance: object, attribute: "Attribute[Any]", value: object) -> None:
    if value is not None and not isinstance(value, str):
        raise TypeError(f"{attribute.name} must be text, got {value!r}")


def _mapping(_instance: object, attribute: "Attribute[Any]", value: object) -> None:
    # dict first: an isinstance check against an abstract class takes ten times as long.
    if not isinstance(value, dict | Mapping):
        raise TypeError(f"{attribute.name} must be a mapping, got {value!r}")


def _entries(_instance: object, attribute: "Attribute[Any]", value: "tuple[LogEntry, ...]") -> None:
    for entry in value:
        if not isinstance(entry, LogEntry):
            raise TypeError(f"{attribute.name} must be log entries, got {entry!r}")


def _as_tuple(entries: "Iterable[LogEntry]") -> "tuple[LogEntry, ...]":
    return tuple(entries)


@frozen(kw_only=True)
class LogEntry:
    """One entry of an execution's log."""

    timestamp: datetime | None = field(default=None, validator=_moment_or_none)
    level: LogLevel = field(validator=instance_of(LogLevel))
    message: str = field(validator=instance_of(str))
    action_index: int | None = field(default=None, validator=_whole_or_none)
    metadata: Mapping[str, Any] | None = None


@frozen(kw_only=True)
class FailedAttempt:
    """A failed run as a retry archived it: the cleared values, and who retried it when."""

    tenant: UUID
    execution_id: UUID
    attempt: int = field(validator=[_whole, ge(1)])
    """Counts from 1; equals the execution's `retry_count` after this retry."""
    retried_at: datetime = field(validator=_moment)
    retried_by: UUID
    api_key_id: UUID | None = None
    request_id: str | None = None
    started_at: datetime = field(validator=_moment)
    completed_at: datetime | None = field(default=None, validator=_moment_or_none)
    duration_ms: float | None = field(default=None, validator=_duration)
    actions_successful: int = field(validator=_count)
    actions_failed: int = field(validator=_count)
    error_message: str | None = field(default=None, validator=_text)
    error_stack: str | None = field(default=None, validator=_text)
    failed_action_index: int | None = None


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


@frozen(kw_only=True)
class Retry:
    """The outcome of `Execution.retry`: the new state, the archived run and the event."""

    execution: "Execution"
    failed_attempt: FailedAttempt
    event: ExecutionRetried


@frozen(kw_only=True)
class Execution:
    """One run of an automation rule. Times are aware; `duration_ms` is in milliseconds."""

    tenant: UUID = field(validator=instance_of(UUID))
    execution_id: UUID = field(validator=instance_of(UUID))
    automation_rule_id: UUID = field(validator=instance_of(UUID))
    status: ExecutionStatus = field(validator=instance_of(ExecutionStatus))
    started_at: datetime = field(validator=_moment)
    completed_at: datetime | None = field(default=None, validator=_moment_or_none)
    duration_ms: float | None = field(default=None, validator=_duration)
    actions_total: int = field(validator=_count)
    actions_successful: int = field(default=0, validator=_count)
    actions_failed: int = field(default=0, validator=_count)
    error_message: str | None = field(default=None, validator=_text)
    error_stack: str | None = field(default=None, validator=_text)
    failed_action_index: int | None = field(default=None, validator=_whole_or_none)
    trigger_data: Mapping[str, Any] = field(factory=dict, validator=_mapping)
    execution_context: Mapping[str, Any] = field(factory=dict, validator=_mapping)
    logs: tuple[LogEntry, ...] = field(default=(), converter=_as_tuple, validator=_entries)
    retry_count: int = field(default=0, validator=_count)
    """How often it was retried. It fences results: one of an older generation is ignored."""

    def __attrs_post_init__(self) -> None:
        if self.actions_successful + self.actions_failed > self.actions_total:
            raise ValueError(
                f"actions_successful ({self.actions_successful}) + actions_failed "
                f"({self.actions_failed}) must not exceed actions_total ({self.actions_total})"
            )

    @property
    def retryable(self) -> bool:
        """Whether `retry` is allowed in this state."""
        return self.status is ExecutionStatus.FAILED

    def retry(self, *, at: datetime, by: Principal, request_id: str | None = None) -> Retry:
        """Puts a failed execution back to pending; what is cleared from it is archived.

        Raises:
            ExecutionNotFailed: the status is not `failed`.
        """
        if not self.retryable:
            raise ExecutionNotFailed(self.execution_id, self.status, self.retry_count)
        attempt = self.retry_count + 1
        made: dict[str, Any] = {
            "tenant": self.tenant,
            "execution_id": self.execution_id,
            "attempt": attempt,
            "retried_at": at,
            "retried_by": by.user_id,
            "api_key_id": by.api_key_id,
            "request_id": request_id,
        }
        return Retry(
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
            ),
            failed_attempt=FailedAttempt(**made, **{name: getattr(self, name) for name in CLEARED}),
            event=ExecutionRetried(**made, automation_rule_id=self.automation_rule_id),
        )
