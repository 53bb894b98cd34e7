from datetime import UTC, datetime, tzinfo
from typing import Any

import pytest
from attrs import evolve
from attrs.exceptions import FrozenInstanceError

from automation_retry.domain import LogEntry, LogLevel
from tests.support.factories import NOON, a_failed_execution, a_retry_write, an_execution

NAIVE = datetime(2026, 11, 23, 12, 0)  # noqa: DTZ001 - what must be refused


class NoOffset(tzinfo):
    """A time zone that does not say how far from UTC it is, which is as good as none."""

    def utcoffset(self, _: datetime | None) -> None:
        return None

    dst = utcoffset

    def __repr__(self) -> str:
        return "NoOffset()"

    def tzname(self, _: datetime | None) -> str:
        return "nowhere"


@pytest.mark.parametrize(
    "changes",
    [
        {"actions_total": -1},
        {"actions_successful": -1},
        {"actions_failed": -1},
        {"retry_count": -1},
        {"actions_total": True},
        {"actions_successful": True},
        {"actions_failed": False},
        {"retry_count": False},
        {"actions_total": 4.0},
        {"actions_total": "4"},
        {"actions_total": None},
        {"failed_action_index": True},
        {"failed_action_index": 1.5},
        {"retry_count": 2**31},
        {"started_at": NAIVE},
        {"started_at": NOON.replace(tzinfo=NoOffset())},
        {"started_at": NOON.date()},
        {"started_at": NOON.isoformat()},
        {"completed_at": NAIVE},
        {"duration_ms": True},
        {"trigger_data": {"not JSON": 1j}},
        {"trigger_data": float("nan")},
        {"execution_context": "\ud800"},
        {"error_message": 5},
        {"error_stack": b"bytes"},
        {"logs": ["a line"]},
        {"duration_ms": float("nan")},
        {"duration_ms": float("inf")},
        {"duration_ms": -0.001},
        {"duration_ms": "12"},
        {"status": "failed"},
        {"status": None},
        {"tenant": "0b9d2c1e-7a54-4f7c-9d3e-2f1a6b8c4d5e"},
        {"execution_id": None},
        {"automation_rule_id": 7},
    ],
    ids=str,
)
def test_an_execution_that_makes_no_sense_cannot_be_built(changes: dict[str, Any]) -> None:
    """Counts are whole, times carry a zone, durations are finite, ids are UUIDs."""
    with pytest.raises((TypeError, ValueError)):
        an_execution(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"attempt": 0},
        {"attempt": True},
        {"retried_at": NAIVE},
        {"attempt": 2**31},
        {"retried_at": None},
        {"started_at": NAIVE},
        {"completed_at": NAIVE},
        {"duration_ms": True},
        {"error_message": 5},
        {"error_stack": b"bytes"},
        {"duration_ms": float("nan")},
        {"duration_ms": -1},
        {"actions_successful": -1},
        {"actions_failed": True},
    ],
    ids=str,
)
def test_an_attempt_that_makes_no_sense_cannot_be_built(changes: dict[str, Any]) -> None:
    """Attempts count from 1 and keep the rules of the execution that they archive."""
    attempt = a_retry_write(a_failed_execution()).retry.failed_attempt

    with pytest.raises((TypeError, ValueError)):
        evolve(attempt, **changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"level": "error"},
        {"message": None},
        {"timestamp": NAIVE},
        {"action_index": True},
        {"action_index": 0.5},
    ],
    ids=str,
)
def test_a_log_entry_that_makes_no_sense_cannot_be_built(changes: dict[str, Any]) -> None:
    """An entry has a known level and a message; its time, where it has one, carries a zone."""
    values: dict[str, Any] = {"level": LogLevel.INFO, "message": "started"}

    with pytest.raises((TypeError, ValueError)):
        LogEntry(**values | changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"actions_total": 0},
        {"actions_total": 3, "actions_successful": 2, "actions_failed": 1},
        {"duration_ms": 0},
        {"duration_ms": None, "completed_at": None},
        {"failed_action_index": 0},
        {"started_at": datetime.min.replace(tzinfo=UTC)},
        {"started_at": None},
        {"actions_total": 0, "actions_failed": 1},
        {"retry_count": 2**31 - 1},
        {"trigger_data": None, "execution_context": None, "logs": None},
    ],
    ids=str,
)
def test_the_edges_of_what_makes_sense_can_be_built(changes: dict[str, Any]) -> None:
    """Nothing to do, everything done and no time taken are executions too."""
    execution = an_execution(**changes)

    assert {name: getattr(execution, name) for name in changes} == changes


def test_an_execution_cannot_be_changed() -> None:
    """A transition gives a new execution; the old one stays what it was."""
    execution = an_execution()

    with pytest.raises(FrozenInstanceError):
        execution.retry_count = 1  # type: ignore[misc]


def test_logs_are_kept_as_they_were_given() -> None:
    """A list that was given as logs may change without changing the execution."""
    logs = [LogEntry(level=LogLevel.INFO, message="started")]
    execution = an_execution(logs=logs)
    logs.clear()

    assert execution.logs
    assert execution.logs.entries == [LogEntry(level=LogLevel.INFO, message="started")]
