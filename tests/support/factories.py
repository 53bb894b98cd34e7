"""Valid executions, principals, jobs and events: single ones, and hypothesis strategies of them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID, uuid4

from attrs import evolve, frozen
from hypothesis import strategies as st

from automation_retry.application import ExecutionJob, RetriedEvent
from automation_retry.application.ports import UnitOfWork
from automation_retry.domain import (
    AUTOMATION_EXECUTE,
    AUTOMATION_READ,
    Execution,
    ExecutionRetried,
    ExecutionStatus,
    LogEntry,
    LogLevel,
    Principal,
    Retry,
)

NOON = datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=UTC)


def a_principal(**changes: Any) -> Principal:
    """Somebody who may read and execute, in a tenant of its own."""
    values: dict[str, Any] = {
        "tenant": uuid4(),
        "user_id": uuid4(),
        "api_key_id": uuid4(),
        "permissions": frozenset({AUTOMATION_EXECUTE, AUTOMATION_READ}),
    }
    return Principal(**values | changes)


def an_execution(**changes: Any) -> Execution:
    """A pending execution of four actions, in a tenant of its own."""
    values: dict[str, Any] = {
        "tenant": uuid4(),
        "execution_id": uuid4(),
        "automation_rule_id": uuid4(),
        "status": ExecutionStatus.PENDING,
        "started_at": NOON,
        "actions_total": 4,
        "trigger_data": {"ticket": {"number": 4711, "tags": ["vip", "Zürich"]}},
        "execution_context": {"dry_run": False},
    }
    return Execution(**values | changes)


def a_failed_execution(**changes: Any) -> Execution:
    """An execution whose third action of four failed."""
    values: dict[str, Any] = {
        "status": ExecutionStatus.FAILED,
        "completed_at": NOON + timedelta(milliseconds=2750, microseconds=1),
        "duration_ms": 2750.5,
        "actions_successful": 2,
        "actions_failed": 1,
        "error_message": "SMTP server did not answer",
        "error_stack": "SmtpTimeout: SMTP server did not answer\n  at sendMail (mail.ts:42)",
        "failed_action_index": 2,
        "logs": (
            LogEntry(level=LogLevel.INFO, message="started", timestamp=NOON),
            LogEntry(
                level=LogLevel.ERROR,
                message="SMTP server did not answer",
                timestamp=NOON + timedelta(seconds=2),
                action_index=2,
                metadata={"host": "mail.example.com", "tries": [1, 2, 3]},
            ),
        ),
    }
    return an_execution(**values | changes)


@frozen(kw_only=True)
class RetryWrite:
    """What one retry stages: the decision, its job and its event."""

    failed: Execution
    retry: Retry
    job: ExecutionJob
    event: RetriedEvent

    def stage(self, work: UnitOfWork) -> None:
        work.record(self.retry)
        work.queue.enqueue(self.job)
        work.events.publish(self.event)


def a_retry_write(
    failed: Execution,
    *,
    by: Principal | None = None,
    request_id: str | None = "req-1",
    reason: str | None = "SMTP is back",
) -> RetryWrite:
    """The retry of a failed execution by somebody of its tenant."""
    principal = by or a_principal(tenant=failed.tenant)
    retry = failed.retry(
        at=NOON + timedelta(hours=1), by=principal, request_id=request_id, reason=reason
    )
    return RetryWrite(
        failed=failed,
        retry=retry,
        job=ExecutionJob(id=uuid4(), retried=evolve(retry.event, api_key_id=None)),
        event=RetriedEvent(id=uuid4(), retried=retry.event),
    )


def a_job(**changes: Any) -> ExecutionJob:
    """The job of the first retry of some execution; `changes` are those of its event.

    Without the API key's id, which a job does not carry.
    """
    return ExecutionJob(id=uuid4(), retried=_retried({"api_key_id": None, **changes}))


def an_event(**changes: Any) -> RetriedEvent:
    """The event of the first retry of some execution; `changes` are those of what happened."""
    return RetriedEvent(id=uuid4(), retried=_retried(changes))


def _retried(changes: Mapping[str, Any]) -> ExecutionRetried:
    values: dict[str, Any] = {
        "tenant": uuid4(),
        "execution_id": uuid4(),
        "automation_rule_id": uuid4(),
        "attempt": 1,
        "retried_at": NOON,
        "retried_by": uuid4(),
        "api_key_id": uuid4(),
        "request_id": "req-1",
        "reason": "SMTP is back",
    }
    return ExecutionRetried(**values | {**changes})


# PostgreSQL stores neither NUL nor lone surrogates, so no value that is meant to be valid has them.
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
instants = st.datetimes(
    min_value=datetime(2000, 1, 1),  # noqa: DTZ001 - `timezones` makes it aware
    max_value=datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))]),
)
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(min_value=-(2**63), max_value=2**64 - 1)
    | st.floats(min_value=-1e15, max_value=1e15)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
json_objects = st.dictionaries(texts, json_values, max_size=3)
durations = st.none() | st.floats(min_value=0, max_value=1e12)
counts = st.integers(min_value=0, max_value=2**31 - 1)

principals = st.builds(
    Principal,
    tenant=st.uuids(),
    user_id=st.uuids(),
    api_key_id=st.none() | st.uuids(),
    permissions=st.frozensets(st.sampled_from([AUTOMATION_EXECUTE, AUTOMATION_READ])),
)

log_entries = st.builds(
    LogEntry,
    level=st.sampled_from(LogLevel),
    message=texts,
    timestamp=st.none() | instants,
    action_index=st.none() | counts,
    metadata=st.none() | json_objects,
)


@st.composite
def executions(
    draw: st.DrawFn, statuses: Sequence[ExecutionStatus] = tuple(ExecutionStatus)
) -> Execution:
    """Any valid execution."""
    total = draw(counts)
    logs: Any = draw(st.lists(log_entries, max_size=2))
    successful = draw(st.integers(min_value=0, max_value=total))
    return Execution(
        tenant=draw(st.uuids(version=4)),
        execution_id=draw(st.uuids(version=4)),
        automation_rule_id=draw(st.uuids(version=4)),
        status=draw(st.sampled_from(statuses)),
        started_at=draw(instants),
        completed_at=draw(st.none() | instants),
        duration_ms=draw(durations),
        actions_total=total,
        actions_successful=successful,
        actions_failed=draw(st.integers(min_value=0, max_value=total - successful)),
        error_message=draw(st.none() | texts),
        error_stack=draw(st.none() | texts),
        failed_action_index=draw(st.none() | counts),
        trigger_data=draw(json_objects),
        execution_context=draw(json_objects),
        logs=logs,
        retry_count=draw(st.integers(min_value=0, max_value=1000)),
    )


failed_executions = executions([ExecutionStatus.FAILED])

attempts = st.integers(min_value=1, max_value=2**31 - 1)


def _retried_events(api_key_ids: st.SearchStrategy[UUID | None]) -> st.SearchStrategy[Any]:
    return st.builds(
        ExecutionRetried,
        tenant=st.uuids(version=4),
        execution_id=st.uuids(),
        automation_rule_id=st.uuids(),
        attempt=attempts,
        retried_at=instants,
        retried_by=st.uuids(),
        api_key_id=api_key_ids,
        request_id=st.none() | texts,
        reason=st.none() | texts,
    )


jobs = st.builds(ExecutionJob, id=st.uuids(version=4), retried=_retried_events(st.none()))
events = st.builds(
    RetriedEvent, id=st.uuids(version=4), retried=_retried_events(st.none() | st.uuids())
)
