"""The answer to a bulk retry, and the values of its body."""

from typing import Any, get_args
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automation_retry.application import (
    BulkRetried,
    ExecutionNotFound,
    Refusal,
    RefusedExecution,
    RetriedExecution,
    RetryConflict,
    RetryNotStored,
    RetryState,
    StorageFailed,
)
from automation_retry.application.refusals import RefusedRetry
from automation_retry.domain import (
    ExecutionNotFailed,
    ExecutionStatus,
    UnknownStatus,
    UnreadableExecution,
)
from automation_retry.entrypoints.http.executions.bulk_body import bulk_retried
from automation_retry.entrypoints.http.wire.body_values import Ids, Text
from automation_retry.entrypoints.http.wire.error_responses import envelope
from automation_retry.entrypoints.http.wire.error_table import ANSWERS
from tests.support.factories import texts

ID = UUID("5fba69ef-1d4c-4f0e-8d3b-6f2a9c7e4b10")
REFUSED: list[RefusedRetry] = [
    ExecutionNotFound(ID),
    ExecutionNotFailed(ID, ExecutionStatus.RUNNING, 3),
    ExecutionNotFailed(ID, UnknownStatus("päused"), 0),
    RetryConflict(ID),
    UnreadableExecution(ID, ["actions_total"]),
    RetryNotStored(ID),
    StorageFailed("their trigger"),
]


@pytest.mark.parametrize("error", REFUSED, ids=lambda error: type(error).__name__)
def test_a_refusal_is_the_answer_to_the_single_retry(error: RefusedRetry) -> None:
    """Code, message and details; details are null where the single retry has none."""
    refused = RefusedExecution(execution_id=ID, refusal=Refusal.of(error))

    [result] = bulk_retried(BulkRetried(results=[refused]))["data"]["results"]

    single = envelope(error, ANSWERS[type(error)])["error"]
    assert {name: result[name] for name in ("code", "message", "details")} == {
        "details": None,
        **single,
    }


def test_every_refusal_is_among_these() -> None:
    assert {type(error) for error in REFUSED} == set(get_args(RefusedRetry))


counts = st.integers(min_value=0, max_value=2**31 - 1)
refusals = st.builds(
    Refusal,
    code=texts,
    message=texts,
    details=st.none() | st.builds(RetryState, texts, counts),
)


@given(
    st.lists(
        st.builds(RetriedExecution, execution_id=st.uuids(), retry_count=counts)
        | st.builds(RefusedExecution, execution_id=st.uuids(), refusal=refusals, error=st.none())
    )
)
def test_what_is_kept_is_repeated_to_the_letter(results: list[Any]) -> None:
    """In the order of its results."""
    first = BulkRetried(results=results)

    again = BulkRetried.of_json(first.to_json())

    assert again.replayed
    assert again.results == first.results
    assert bulk_retried(again) == bulk_retried(first)


@given(st.lists(st.uuids(), min_size=1, max_size=5), st.booleans())
def test_ids_are_read_in_their_order(ids: list[UUID], upper: bool) -> None:
    """In either case."""
    sent = [str(one).upper() if upper else str(one) for one in ids]

    assert Ids(5).of_json(sent) == ids


@pytest.mark.parametrize(
    "wrong",
    [[], [str(ID)] * 3, str(ID), None, {}, [None], [4711], [[str(ID)]], [ID.hex], [f" {ID}"], [""]],
)
def test_what_is_no_list_of_ids_is_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match=r"^$"):
        Ids(2).of_json(wrong)


@pytest.mark.parametrize("wrong", ["", "xxxx", None, 4711, ["x"], "a\0b"])
def test_what_is_no_text_is_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match=r"^$"):
        Text(3).of_json(wrong)


@pytest.mark.parametrize("right", ["x", " ", "\U0001f680" * 3, "\n\t\x01"])
def test_other_text_is_taken_as_it_is(right: str) -> None:
    assert Text(3).of_json(right) == right
