"""What a parameter of a query may be: its text is read, or refused as ValueError."""

from datetime import UTC, datetime, timedelta, timezone
from enum import Enum
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from automation_retry.application import SortField
from automation_retry.domain import ExecutionStatus
from automation_retry.entrypoints.http.wire.query_values import (
    Boolean,
    GroupId,
    Number,
    OneOf,
    SomeOf,
    Text,
    Time,
    Uuid,
)

LARGEST = 10**15
ZONES = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
KINDS = [
    Boolean(),
    GroupId(),
    Number(),
    OneOf(SortField),
    SomeOf(ExecutionStatus),
    Text(1, 200),
    Time(),
    Uuid(),
]


class Fruit(Enum):
    APPLE = "apple"
    PEAR = "pear"


def is_refused(kind: Any, text: str) -> bool:
    try:
        kind.of_text(text)
    except ValueError:
        return True
    return False


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: type(kind).__name__)
def test_nothing_is_no_value(kind: Any) -> None:
    """An empty filter must not select everything."""
    assert is_refused(kind, "")


@pytest.mark.parametrize(
    "kind",
    [one for one in KINDS if not isinstance(one, Text)],
    ids=lambda kind: type(kind).__name__,
)
@given(text=st.text())
@example("\u0661")
@example("failed\n")
@example("NaN")
@example("0x1")
@example("2026-11-27")
@example("5fba69ef1d4c4f0e8d3b6f2a9c7e4b10")
def test_any_text_is_read_or_refused(kind: Any, text: str) -> None:
    """With no other error, and never with white space around it."""
    try:
        kind.of_text(text)
    except ValueError:
        return

    assert text == text.strip()
    assert text.isascii()


@given(moment=st.datetimes(timezones=ZONES), separator=st.sampled_from("tT"))
def test_a_time_is_read_in_utc(moment: datetime, separator: str) -> None:
    """Whatever its zone; one that is out of range in UTC is refused."""
    text = moment.isoformat(separator, "microseconds")
    try:
        utc = moment.astimezone(UTC)
    except OverflowError:
        assert is_refused(Time(), text)
        return

    read = Time().of_text(text)

    assert (read, read.utcoffset()) == (utc, timedelta())


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("2026-11-27T08:00:00Z", "2026-11-27T08:00:00"),
        ("2026-11-27t08:00:00z", "2026-11-27T08:00:00"),
        ("2026-11-27T08:00:00-00:00", "2026-11-27T08:00:00"),
        ("2026-11-27T08:00:00+23:59", "2026-11-26T08:01:00"),
        ("2026-11-27T08:00:00.5Z", "2026-11-27T08:00:00.500000"),
        ("2026-11-27T08:00:00.1234560Z", "2026-11-27T08:00:00.123456"),
        ("2026-11-27T08:00:00.1234561Z", "2026-11-27T08:00:00.123457"),
        ("2026-11-27T08:00:00.9999999Z", "2026-11-27T08:00:01"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00"),
        ("2017-01-01T00:59:60+01:00", "2017-01-01T00:00:00"),
        ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999"),
    ],
)
def test_times_of_rfc_3339_are_read(text: str, read: str) -> None:
    """Between two microseconds, the later one selects the same stored times."""
    assert Time().of_text(text) == datetime.fromisoformat(read).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-27T08:00:00",
        "2026-11-27T08:00Z",
        "2026-11-27 08:00:00Z",
        "2026-11-27T09:00:00 01:00",
        "2026-11-27T08:00:00+0100",
        "2026-11-27T08:00:00+01",
        "2026-11-27T08:00:00+24:00",
        "2026-11-27T08:00:00+01:60",
        "2026-11-27T08:00:00,5Z",
        "2026-11-27T08:00:00.Z",
        "2026-11-27T08:00:61Z",
        "2026-11-27T08:00:60Z",
        "2016-12-31T23:59:60+01:00",
        "2026-11-27T24:00:00Z",
        "2026-02-29T08:00:00Z",
        "2026-11-31T08:00:00Z",
        "2026-W48-5T08:00:00Z",
        "20261127T080000Z",
        "0000-01-01T00:00:00Z",
        "9999-12-31T23:59:60Z",
        "9999-12-31T23:59:59.9999999Z",
        "2026-11-27T08:00:00Z\n",
        "٢٠٢٦-11-27T08:00:00Z",
        "1764230400",
        "-infinity",
    ],
)
def test_other_times_are_refused(text: str) -> None:
    """Other ISO 8601, days and minutes that do not exist, times that nothing can hold."""
    assert is_refused(Time(), text)


@given(st.floats(0, LARGEST))
def test_a_number_is_read_however_it_is_written(number: float) -> None:
    """Each client's way of writing a float."""
    kind = Number()

    assert kind.of_text(repr(number)) == number
    assert kind.of_text(f"{number:.17e}") == number


@pytest.mark.parametrize("text", ["0", "00", "1.50", "1E3", "1e+3", "1000000000000000"])
def test_numbers_are_read(text: str) -> None:
    """Up to the greatest."""
    assert Number().of_text(text) == float(text)


@pytest.mark.parametrize(
    "text",
    ["-1", "-0", "+1", "1.", ".5", "1e", "1e16", "1e999", "1,5", "1_0", "0x1", "inf", "nan", "1 "],
)
def test_what_is_no_number_or_too_great_is_refused(text: str) -> None:
    """A value without an end would select nothing or all."""
    assert is_refused(Number(), text)


@given(st.sets(st.sampled_from(ExecutionStatus), min_size=1).flatmap(
    lambda some: st.permutations(sorted(some, key=lambda one: one.value))
))  # fmt: skip
def test_several_are_read_in_any_order(statuses: list[ExecutionStatus]) -> None:
    """As the values of the enumeration."""
    text = ",".join(one.value for one in statuses)

    assert SomeOf(ExecutionStatus).of_text(text) == frozenset(statuses)


@pytest.mark.parametrize(
    "text", ["apple,", ",apple", "apple,,pear", "apple,apple", "Apple", "apple, pear", "plum"]
)
def test_several_are_each_known_and_given_once(text: str) -> None:
    """So that a slip never selects more or less than was meant."""
    for kind in (SomeOf(Fruit), SomeOf(("apple", "pear"))):
        assert is_refused(kind, text)


@pytest.mark.parametrize(
    ("text", "read"), [("apple", Fruit.APPLE), ("fruit", Fruit.APPLE), ("pear", Fruit.PEAR)]
)
def test_one_of_an_enumeration_may_have_another_name(text: str, read: Fruit) -> None:
    """As `created_at` is `started_at`."""
    assert OneOf(Fruit, (("fruit", Fruit.APPLE),)).of_text(text) is read


@pytest.mark.parametrize("text", ["x" * 201, "a\0b"])
def test_a_text_has_bounds_and_no_nul(text: str) -> None:
    """In characters."""
    assert Text(1, 200).of_text("😀" * 200) == "😀" * 200
    assert is_refused(Text(1, 200), text)
