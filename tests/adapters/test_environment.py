"""Values of settings as people write them."""

from collections.abc import Callable
from typing import Any

import pytest

from automation_retry.adapters.environment import (
    milliseconds,
    one_of,
    seconds,
    size,
    whole,
    yes_or_no,
)


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (yes_or_no, "Y", True),
        (yes_or_no, "No", False),
        (yes_or_no, "TRUE", True),
        (yes_or_no, "off", False),
        (one_of("info", "warning", warn="warning"), "WARN", "warning"),
        (one_of("info", "warning", warn="warning"), "Info", "info"),
        (whole(1, 10), "007", 7),
        (milliseconds(1, 60_000), "250", 250),
        (milliseconds(1, 60_000), "10s", 10_000),
        (milliseconds(1, 60_000), "1 MIN", 60_000),
        (seconds(1, 86_400), "90", 90),
        (seconds(1, 86_400), "2h", 7200),
        (seconds(1, 86_400), "3000ms", 3),
        (size(1, 2**30), "1024", 1024),
        (size(1, 2**30), "2MiB", 2 * 2**20),
        (size(1, 2**30), "5 mb", 5_000_000),
    ],
)
def test_a_value_is_read_in_each_form(parse: Callable[[str], Any], text: str, value: Any) -> None:
    """Case does not matter, and units may be given."""
    assert parse(text) == value


@pytest.mark.parametrize(
    ("parse", "text", "message"),
    [
        (yes_or_no, "maybe", "must be true or false, not 'maybe'"),
        (one_of("a", "b"), "c", "must be one of a, b, not 'c'"),
        (whole(1, 10), "11", "must be a whole number from 1 to 10, not '11'"),
        (whole(1, 10), "٣", "must be a whole number from 1 to 10, not '٣'"),
        (whole(1, 10), "9" * 5000, f"must be a whole number from 1 to 10, not '{'9' * 60}…'"),
        (
            seconds(1, 60),
            "1500ms",
            (
                "must be a whole number of seconds from 1 to 60, or one with a unit "
                "(ms, s, min, h, d), not '1500ms'"
            ),
        ),
        (
            size(1, 2**20),
            "2MiB",
            (
                "must be a whole number of bytes from 1 to 1048576, or one with a unit "
                "(B, KiB, MiB, kB, MB), not '2MiB'"
            ),
        ),
        (
            milliseconds(1, 1000),
            "1 fortnight",
            (
                "must be a whole number of milliseconds from 1 to 1000, or one with a unit "
                "(ms, s, min, h, d), not '1 fortnight'"
            ),
        ),
    ],
)
def test_a_wrong_value_is_told_with_what_would_be_right(
    parse: Callable[[str], Any], text: str, message: str
) -> None:
    """A long value is shortened."""
    with pytest.raises(ValueError, match="must be") as error:
        parse(text)

    assert str(error.value) == message
