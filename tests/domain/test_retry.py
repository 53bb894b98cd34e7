from datetime import datetime

import pytest
from attrs import asdict, evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from automation_retry.domain import (
    MAX_RETRY_COUNT,
    Execution,
    ExecutionNotFailed,
    ExecutionRetried,
    ExecutionStatus,
    FailedAttempt,
    Principal,
    UnknownStatus,
    UnreadableExecution,
)
from tests.support.factories import (
    NOON,
    a_failed_execution,
    a_principal,
    failed_executions,
    instants,
    principals,
    texts,
)

LATER = datetime.fromisoformat("2026-11-23T13:00:00.654321+00:00")
OTHERS = [status for status in ExecutionStatus if status is not ExecutionStatus.FAILED]


@pytest.mark.parametrize("status", OTHERS)
def test_only_a_failed_execution_is_retried(status: ExecutionStatus) -> None:
    """In every other state the retry is refused, and the refusal says which state it is."""
    execution = a_failed_execution(status=status, retry_count=3)

    with pytest.raises(ExecutionNotFailed) as refused:
        execution.retry(at=LATER, by=a_principal())
    assert (refused.value.execution_id, refused.value.status, refused.value.retry_count) == (
        execution.execution_id,
        status,
        3,
    )
    assert str(refused.value) == (
        f"Only failed executions can be retried; execution {execution.execution_id} "
        f"is {status.value}"
    )


@pytest.mark.parametrize("status", ExecutionStatus)
def test_retryable_says_what_retry_does(status: ExecutionStatus) -> None:
    """An execution is retryable exactly when it failed."""
    assert a_failed_execution(status=status).retryable is (status is ExecutionStatus.FAILED)


def test_an_execution_whose_count_is_at_its_end_is_not_retryable() -> None:
    """A retry would have no number."""
    assert a_failed_execution(retry_count=MAX_RETRY_COUNT - 1).retryable
    assert not a_failed_execution(retry_count=MAX_RETRY_COUNT).retryable


def test_a_retry_resets_the_outcome_and_keeps_the_rest() -> None:
    """Status, start, end, counters and errors are those of a new run; nothing else changes."""
    failed = a_failed_execution(retry_count=2)
    retried = failed.retry(at=LATER, by=a_principal()).execution

    assert asdict(retried, recurse=False) == asdict(failed, recurse=False) | {
        "status": ExecutionStatus.PENDING,
        "started_at": LATER,
        "completed_at": None,
        "duration_ms": None,
        "actions_successful": 0,
        "actions_failed": 0,
        "error_message": None,
        "error_stack": None,
        "failed_action_index": None,
        "retry_count": 3,
    }


def test_a_retry_archives_who_asked_and_what_was_cleared() -> None:
    """The attempt carries its number, the caller and every value that the retry cleared."""
    failed = a_failed_execution(retry_count=2)
    caller = a_principal(tenant=failed.tenant)

    assert failed.retry(at=LATER, by=caller, request_id="req-7").failed_attempt == FailedAttempt(
        tenant=failed.tenant,
        execution_id=failed.execution_id,
        attempt=3,
        retried_at=LATER,
        retried_by=caller.user_id,
        api_key_id=caller.api_key_id,
        request_id="req-7",
        started_at=NOON,
        completed_at=failed.completed_at,
        duration_ms=2750.5,
        actions_successful=2,
        actions_failed=1,
        error_message="SMTP server did not answer",
        error_stack=failed.error_stack,
        failed_action_index=2,
    )


def test_a_retry_says_what_happened() -> None:
    """The event names the execution, its rule, the new attempt and the caller."""
    failed = a_failed_execution(retry_count=2)
    caller = a_principal(tenant=failed.tenant, api_key_id=None)

    assert failed.retry(at=LATER, by=caller, request_id="req-7").event == ExecutionRetried(
        tenant=failed.tenant,
        execution_id=failed.execution_id,
        automation_rule_id=failed.automation_rule_id,
        attempt=3,
        retried_at=LATER,
        retried_by=caller.user_id,
        api_key_id=None,
        request_id="req-7",
    )


def rebuilt(retried: Execution, attempt: FailedAttempt) -> Execution:
    """The execution as it was before the retry, from nothing but what the retry left behind."""
    return evolve(
        retried,
        status=ExecutionStatus.FAILED,
        retry_count=attempt.attempt - 1,
        started_at=attempt.started_at,
        completed_at=attempt.completed_at,
        duration_ms=attempt.duration_ms,
        actions_successful=attempt.actions_successful or 0,
        actions_failed=attempt.actions_failed or 0,
        error_message=attempt.error_message,
        error_stack=attempt.error_stack,
        failed_action_index=attempt.failed_action_index,
    )


@given(failed_executions, instants, principals, st.none() | texts)
@settings(max_examples=60, deadline=None)
def test_a_retry_loses_nothing(
    failed: Execution, at: datetime, by: Principal, request_id: str | None
) -> None:
    """The old execution can be rebuilt from the new one and the archived attempt."""
    retry = failed.retry(at=at, by=by, request_id=request_id)

    assert rebuilt(retry.execution, retry.failed_attempt) == failed


@given(failed_executions, instants, principals)
@settings(max_examples=30, deadline=None)
def test_a_retried_execution_is_not_retried_again(
    failed: Execution, at: datetime, by: Principal
) -> None:
    """The second of two retries finds a pending execution."""
    retried = failed.retry(at=at, by=by).execution

    with pytest.raises(ExecutionNotFailed, match=r"is pending$"):
        retried.retry(at=at, by=by)


@given(failed_executions, instants, principals)
@settings(max_examples=30, deadline=None)
def test_execution_attempt_and_event_of_a_retry_agree(
    failed: Execution, at: datetime, by: Principal
) -> None:
    """All three tell of the same execution, the same attempt, the same time and caller."""
    retry = failed.retry(at=at, by=by)
    agreed = (failed.tenant, failed.execution_id, failed.retry_count + 1, at)

    execution, attempt, event = retry.execution, retry.failed_attempt, retry.event
    for told in (
        (execution.tenant, execution.execution_id, execution.retry_count, execution.started_at),
        (attempt.tenant, attempt.execution_id, attempt.attempt, attempt.retried_at),
        (event.tenant, event.execution_id, event.attempt, event.retried_at),
    ):
        assert told == agreed
    assert attempt.retried_by == event.retried_by == by.user_id


@pytest.mark.parametrize(
    ("retry_count", "archived", "attempt"), [(0, 0, 1), (2, 0, 3), (0, 7, 8), (7, 7, 8), (9, 7, 10)]
)
def test_no_number_is_used_twice(retry_count: int, archived: int, attempt: int) -> None:
    """Even where somebody set `retry_count` back."""
    failed = a_failed_execution(retry_count=retry_count)
    retry = failed.retry(at=LATER, by=a_principal(), archived=archived)

    numbers = (retry.execution.retry_count, retry.failed_attempt.attempt, retry.event.attempt)
    assert numbers == (attempt, attempt, attempt)


@pytest.mark.parametrize("end", [{"retry_count": MAX_RETRY_COUNT}, {}])
def test_the_range_of_numbers_ends(end: dict[str, int]) -> None:
    """The error names the execution and the column."""
    failed = a_failed_execution(**end)

    with pytest.raises(UnreadableExecution) as refused:
        failed.retry(at=LATER, by=a_principal(), archived=MAX_RETRY_COUNT)
    assert (refused.value.execution_id, refused.value.columns) == (
        failed.execution_id,
        ["retry_count"],
    )


def test_an_unknown_status_is_not_failed() -> None:
    """The refusal shows it."""
    execution = a_failed_execution(status=UnknownStatus("queued"))

    with pytest.raises(ExecutionNotFailed, match="is queued"):
        execution.retry(at=LATER, by=a_principal())


def test_what_was_left_out_goes_with_what_is_cleared() -> None:
    """To the archived attempt; the retried execution only lacks what it keeps."""
    failed = a_failed_execution(
        error_stack=None,
        logs=None,
        truncated=frozenset({"error_stack", "logs"}),
        completed_at=None,
        unreadable=frozenset({"completed_at"}),
    )
    retry = failed.retry(at=LATER, by=a_principal())

    assert retry.execution.truncated == {"logs"}
    assert retry.execution.unreadable == frozenset()
    assert retry.failed_attempt.truncated == {"error_stack"}
    assert retry.failed_attempt.unreadable == {"completed_at"}
