"""Filters that make sense, and those that cannot match anything."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automation_retry.application import ExecutionFilter, InvalidParameters, SortField, Sorting
from automation_retry.domain import ExecutionStatus
from tests.support.factories import NOON, texts

FAILED = frozenset({ExecutionStatus.FAILED})
A_GROUP = "fg_0123456789abcdef"


def refused(**conditions: Any) -> Mapping[str, str]:
    """What was expected instead, by parameter."""
    with pytest.raises(InvalidParameters) as raised:
        ExecutionFilter(**conditions)
    return raised.value.expected


def time(name: str, moment: datetime) -> ExecutionFilter:
    condition: dict[str, Any] = {name: moment}
    return ExecutionFilter(**condition)


@pytest.mark.parametrize(
    "about_failures", [{"failure_group_id": A_GROUP}, {"failed_from": NOON}, {"failed_to": NOON}]
)
def test_what_is_said_of_failures_selects_only_failed_executions(
    about_failures: dict[str, Any],
) -> None:
    """Whether or not the status is named as well; any other contradicts it."""
    others = frozenset(ExecutionStatus) - FAILED

    assert ExecutionFilter(**about_failures).wanted_statuses == FAILED
    assert ExecutionFilter(**about_failures, statuses=FAILED).only_failed
    for statuses in (others, others | FAILED, frozenset(ExecutionStatus)):
        assert list(refused(**about_failures, statuses=statuses)) == ["status"]


@pytest.mark.parametrize(
    "statuses", [None, FAILED, frozenset({ExecutionStatus.PENDING}), frozenset(ExecutionStatus)]
)
def test_other_conditions_leave_the_status_open(
    statuses: frozenset[ExecutionStatus] | None,
) -> None:
    """No filter selects more or less than it says."""
    wanted = ExecutionFilter(
        statuses=statuses, started_from=NOON, has_errors=True, search="SMTP", duration_min_ms=1
    )

    assert wanted.wanted_statuses == statuses
    assert wanted.only_failed is (statuses == FAILED)


def test_no_status_at_all_is_refused() -> None:
    """It could be read as any."""
    assert list(refused(statuses=frozenset())) == ["status"]


@pytest.mark.parametrize("name", ["failed", "started"])
@given(seconds=st.integers(-3, 3))
def test_a_time_must_not_end_before_it_begins(name: str, seconds: int) -> None:
    """Equal bounds are allowed, also in different zones."""
    end = (NOON + timedelta(seconds=seconds)).astimezone(timezone(timedelta(hours=-7)))
    bounds: dict[str, Any] = {f"{name}_from": NOON, f"{name}_to": end}
    if seconds < 0:
        assert refused(**bounds) == {f"{name}_to": f"not less than {name}_from"}
    else:
        assert getattr(ExecutionFilter(**bounds), f"{name}_to") == end


def test_the_shortest_duration_must_not_exceed_the_longest() -> None:
    """Zero, and equal ones, are durations like others."""
    ExecutionFilter(duration_min_ms=0, duration_max_ms=0)

    assert refused(duration_min_ms=1.5, duration_max_ms=1) == {
        "duration_max_ms": "not less than duration_min_ms"
    }


@pytest.mark.parametrize("name", ["duration_min_ms", "duration_max_ms"])
@pytest.mark.parametrize("value", [-1, -0.1, math.nan, math.inf, True])
def test_a_duration_is_a_finite_number_from_zero(name: str, value: float) -> None:
    """Storages disagree on where others belong."""
    assert refused(**{name: value}) == {name: "a number of ms from 0"}


@pytest.mark.parametrize("name", ["failed_from", "failed_to", "started_from", "started_to"])
def test_a_time_has_a_zone_and_exists_in_utc(name: str) -> None:
    """Just beyond the first and the last year there is nothing to compare with."""
    east, west = timezone(timedelta(hours=1)), timezone(timedelta(hours=-1))
    first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)

    for moment in (first, last):
        assert getattr(time(name, moment), name) == moment
    for moment in (first.replace(tzinfo=east), last.replace(tzinfo=west)):
        assert refused(**{name: moment}) == {name: "a time in the years 1 to 9999 in UTC"}
    with pytest.raises(ValueError, match="must carry a time zone"):
        time(name, NOON.replace(tzinfo=None))


@given(text=texts.filter(bool) | st.just(200 * "\U0001f600"))
def test_any_stored_text_can_be_sought(text: str) -> None:
    """Up to 200 characters, however many bytes they have."""
    assert ExecutionFilter(search=text).search == text


@pytest.mark.parametrize("text", ["", 201 * "x", "\0", "SMTP\0", "\ud800", "x\udfff"])
def test_what_no_message_can_hold_is_not_sought(text: str) -> None:
    """Nothing is cut or left out, which would widen what is selected."""
    assert list(refused(search=text)) == ["search"]


@pytest.mark.parametrize(
    "name", ["", "fg_", "fg_0123456789ABCDEF", "fg_0123456789abcde", f"{A_GROUP}\n", f"{A_GROUP}0"]
)
def test_what_has_not_the_form_of_a_groups_id_is_refused(name: str) -> None:
    """Rather than to match nothing, as an unknown group does."""
    assert list(refused(failure_group_id=name)) == ["failure_group_id"]


def test_everything_that_is_wrong_is_named() -> None:
    """All at once, so that nobody learns it step by step."""
    wrong = refused(
        statuses=frozenset(),
        search="",
        failure_group_id="mail",
        duration_min_ms=2,
        duration_max_ms=1,
        started_from=NOON,
        started_to=NOON - timedelta(days=1),
    )

    assert wrong.keys() == {
        "status",
        "search",
        "failure_group_id",
        "duration_max_ms",
        "started_to",
    }


def test_the_newest_come_first_by_default() -> None:
    """As in AlgaPSA."""
    assert (Sorting().by, Sorting().descending) == (SortField.STARTED_AT, True)
