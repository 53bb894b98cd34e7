"""JSON that is carried untouched."""

from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given

from automation_retry.domain import ExecutionLog, Json, LogEntry, LogLevel
from tests.support.factories import NOON, json_values, log_entries


@given(json_values)
def test_a_value_is_what_its_text_says(value: Any) -> None:
    """From a Python value to text and back."""
    assert Json.of(value).value() == value


def test_equal_values_are_equal_whatever_their_texts() -> None:
    """Storages choose blanks and the order of names."""
    assert Json('{"a":1,"b":[]}') == Json('{"b": [], "a": 1}')
    assert Json("1") != Json("2")
    assert Json("1") != 1


DEEP = "[" * 100_000 + "]" * 100_000


def test_depth_is_nobody_s_error_until_it_is_parsed() -> None:
    """The text is kept and compared; only a value cannot be had."""
    deep = Json(DEEP)

    assert deep == Json(DEEP)
    assert deep != Json("[]")
    with pytest.raises(ValueError, match="nested too deeply"):
        deep.value()


def test_numbers_of_any_size_are_kept() -> None:
    digits = "9" * 400

    assert Json(digits).text == digits
    assert Json(digits).value() == int(digits)


@pytest.mark.parametrize(
    ("value", "reason"),
    [(float("nan"), "float"), (float("-inf"), "float"), ("\ud800", "surrogates")],
)
def test_what_json_cannot_spell_is_refused(value: object, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Json.of({"value": value})


@pytest.mark.parametrize("value", [{1, 2}, 1j, object(), NOON])
def test_what_is_not_json_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        Json.of([value])


def test_other_mappings_are_objects() -> None:
    assert Json.of(MappingProxyType({"a": (1, None)})).text == '{"a": [1, null]}'


def test_a_text_is_not_shown() -> None:
    """It is a tenant's."""
    assert "secret" not in repr(Json.of("secret"))


@given(log_entries)
def test_an_entry_is_read_as_it_was_written(entry: LogEntry) -> None:
    [read] = ExecutionLog.of_entries([entry]).entries

    assert read == entry


def test_an_entry_leaves_out_what_it_does_not_have() -> None:
    """Its optional fields are not nullable."""
    log = ExecutionLog.of_entries([LogEntry(level=LogLevel.WARN, message="late")])

    assert log.text == '[{"level": "warn", "message": "late"}]'


ODD_LINES = [
    "a line",
    17,
    None,
    [],
    {},
    {"level": "warning", "message": "an unknown level"},
    {"level": "info"},
    {"message": "no level"},
    {"level": "info", "message": 5},
    {"level": "info", "message": "m", "timestamp": 1732658863},
    {"level": "info", "message": "m", "timestamp": "yesterday"},
    {"level": "info", "message": "m", "timestamp": "2026-11-23T12:00:00"},
    {"level": "info", "message": "m", "action_index": "0"},
    {"level": "info", "message": "m", "metadata": []},
    {"level": "info", "message": "m", "extra": "is not lost"},
]


@pytest.mark.parametrize("line", ODD_LINES, ids=str)
def test_a_line_of_another_form_is_given_as_it_is(line: Any) -> None:
    """Between others that have the contract's form."""
    good = {"level": "info", "message": "m", "timestamp": "2026-11-23T12:00:00.5Z"}
    log = ExecutionLog(Json.of([good, line]).text)

    first, second = log.entries
    at = datetime(2026, 11, 23, 12, 0, 0, 500_000, tzinfo=UTC)
    assert first == LogEntry(level=LogLevel.INFO, message="m", timestamp=at)
    assert second == line


@pytest.mark.parametrize("value", [{"an": "object"}, "text", 3, None])
def test_a_log_that_is_no_array_is_one_line(value: Any) -> None:
    assert ExecutionLog(Json.of(value).text).entries == [value]
