"""Cursors go on in the list that they come from, and nowhere else."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from automation_retry.application import InvalidParameters
from automation_retry.application.cursors import cursor_of, position_in
from tests.support.factories import json_values

lists = st.lists(st.text(max_size=10), max_size=4)
positions = st.lists(st.none() | st.text(max_size=20), max_size=3)
LISTED = ("tenant", "filters", "sorting")
POSITION = ("2026-11-23T12:00:00.123456Z", "5fba69ef-7f0e-4f5d-8b1d-5f0f3c8c5d6a")


def encoded(content: bytes) -> str:
    return urlsafe_b64encode(content).decode().rstrip("=")


def decoded(cursor: str) -> bytes:
    return urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))


def refused(cursor: str, listed: Sequence[str] = LISTED) -> bool:
    with pytest.raises(InvalidParameters) as raised:
        position_in(cursor, listed)
    return list(raised.value.expected) == ["cursor"]


@given(listed=lists, position=positions)
def test_a_cursor_holds_its_position(listed: Sequence[str], position: list[str | None]) -> None:
    """Any text survives, in characters that a URL takes as they are."""
    cursor = cursor_of(listed, position)

    assert list(position_in(cursor, listed)) == position
    assert cursor.replace("-", "").replace("_", "").isalnum()
    assert cursor.isascii()


@given(listed=lists, other=lists, position=positions)
def test_a_cursor_of_another_list_is_refused(
    listed: Sequence[str], other: Sequence[str], position: list[str | None]
) -> None:
    """One that is described by the same texts, divided in another way, is another list."""
    assume(listed != other)

    assert refused(cursor_of(listed, position), other)
    assert refused(cursor_of(["a", "bc"], position), ["ab", "c"])


@given(cursor=st.text(max_size=1100) | st.binary(max_size=800).map(encoded))
def test_any_text_is_refused(cursor: str) -> None:
    """With the one error, whatever it is."""
    assert refused(cursor)


@given(content=json_values | st.lists(json_values))
def test_any_json_is_refused(content: Any) -> None:
    """A cursor that somebody made says nothing about this list."""
    assert refused(encoded(json.dumps(content).encode()))


@given(value=json_values)
def test_a_position_has_texts_and_nulls_only(value: Any) -> None:
    """Whoever knows how cursors are made gets no other value into a storage."""
    assume(value is not None and not isinstance(value, str))
    [digest] = json.loads(decoded(cursor_of(LISTED, [])))

    assert refused(encoded(json.dumps([digest, *POSITION, value]).encode()))


@given(at=st.integers(0, 150), length=st.integers(0, 2), text=st.text("AZaz09-_=. \n", max_size=2))
def test_a_changed_cursor_is_a_place_in_this_list_or_refused(
    at: int, length: int, text: str
) -> None:
    """There is no other error, and no other kind of value."""
    cursor = cursor_of(LISTED, POSITION)
    with suppress(InvalidParameters):
        position = position_in(cursor[:at] + text + cursor[at + length :], LISTED)

        assert all(one is None or isinstance(one, str) for one in position)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda cursor: cursor[:-1], id="cut"),
        pytest.param(lambda cursor: f"{cursor}=", id="padded"),
        pytest.param(lambda cursor: f"{cursor}\n", id="with a line end"),
        pytest.param(lambda cursor: f" {cursor}", id="with a blank"),
        pytest.param(lambda cursor: cursor + cursor, id="twice"),
        pytest.param(lambda cursor: encoded(decoded(cursor)[:-1]), id="not closed"),
    ],
)
def test_what_is_no_cursor_is_refused(change: Callable[[str], str]) -> None:
    """Each of these could be an error of some parser."""
    assert refused(change(cursor_of(LISTED, POSITION)))


def test_an_object_with_the_names_of_a_cursor_is_refused() -> None:
    """It has the same texts, in the same order."""
    made = dict.fromkeys(json.loads(decoded(cursor_of(LISTED, POSITION))))

    assert refused(encoded(json.dumps(made).encode()))


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(200_000 * b"[", id="deeply nested"),
        pytest.param(400 * b"[", id="nested"),
        pytest.param(5000 * b"9", id="a large number"),
        pytest.param(b"\xff\xfe", id="not in UTF-8"),
        *(b"[]", b"{}", b"null"),
    ],
)
def test_what_holds_no_position_is_refused(content: bytes) -> None:
    """However deep, long or empty."""
    assert refused(encoded(content))
