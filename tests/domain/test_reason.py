import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from automation_retry.domain import is_reason
from tests.support.factories import NOON, a_failed_execution, a_principal, a_retry_write


@given(st.text(max_size=600) | st.text("\0\ud800\udfff\ue000é", max_size=5))
def test_a_reason_is_what_every_storage_can_keep(text: str) -> None:
    """1 to 500 characters that UTF-8 can encode, and no NUL."""
    try:
        text.encode()
    except UnicodeEncodeError:
        encodes = False
    else:
        encodes = True

    assert is_reason(text) is (encodes and 0 < len(text) <= 500 and "\0" not in text)


@pytest.mark.parametrize(("length", "right"), [(0, False), (1, True), (500, True), (501, False)])
def test_its_length_is_counted_in_characters(length: int, *, right: bool) -> None:
    assert is_reason("\U0001f680" * length) is right


def test_a_retry_s_reason_goes_with_its_attempt_and_its_event() -> None:
    retry = a_failed_execution().retry(at=NOON, by=a_principal(), reason="SMTP is back")

    assert (retry.failed_attempt.reason, retry.event.reason) == ("SMTP is back", "SMTP is back")


def test_without_one_there_is_none() -> None:
    retry = a_failed_execution().retry(at=NOON, by=a_principal())

    assert (retry.failed_attempt.reason, retry.event.reason) == (None, None)


@pytest.mark.parametrize("part", ["failed_attempt", "event"])
def test_a_reason_is_text(part: str) -> None:
    retry = a_retry_write(a_failed_execution()).retry

    with pytest.raises(TypeError, match="reason must be text"):
        evolve(getattr(retry, part), reason=4711)
