"""A failure group is named by a digest that each of its failures yields."""

import hashlib
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from automation_retry.domain import failure_group_id, is_failure_group_id
from tests.support.failure_messages import failure_messages

A_RULE = UUID("3F2504E0-4F89-41D3-9A0C-0305E82C3301")


def test_the_id_of_a_group_is_a_digest_of_rule_and_pattern() -> None:
    digest = hashlib.sha256(
        b"1\n3f2504e0-4f89-41d3-9a0c-0305e82c3301\nTimeout of <n>ms"
    ).hexdigest()

    assert failure_group_id(A_RULE, "Timeout of 300ms") == f"fg_{digest[:16]}"


def test_the_id_of_a_group_without_rule_or_message() -> None:
    digest = hashlib.sha256(b"1\n\n<none>").hexdigest()

    assert failure_group_id(None, None) == f"fg_{digest[:16]}"


@given(st.none() | st.uuids(), st.none() | failure_messages())
@example(None, "\ud800")
def test_every_failure_has_a_group(rule: UUID | None, message: str | None) -> None:
    assert is_failure_group_id(failure_group_id(rule, message))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "fg_",
        "fg_0123456789abcde",
        "fg_0123456789abcdef0",
        "fg_0123456789ABCDEF",
        "FG_0123456789abcdef",
        "fg_0123456789abcdeg",
        "fg_0123456789abcdef\n",
        "fg_\u0966123456789abcdef",
    ],
)
def test_other_texts_are_no_ids_of_groups(text: str) -> None:
    assert not is_failure_group_id(text)
