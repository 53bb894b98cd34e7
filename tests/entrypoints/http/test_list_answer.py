"""The body of a list: which fields, and what is left out where it would be too large."""

from typing import Any
from uuid import UUID, uuid4

import attrs
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automation_retry.application import ExecutionFilter, ExecutionList
from automation_retry.application.ports import ListedExecution
from automation_retry.domain import ExecutionStatus, Json, UnknownStatus
from automation_retry.entrypoints.http.executions import listing
from automation_retry.entrypoints.http.executions.listing import (
    MAX_BYTES,
    ExecutionQuery,
    list_answer,
)
from automation_retry.entrypoints.http.wire.links import Links
from tests.support.factories import NOON, a_failed_execution

TENANT = UUID(int=1)
LINKS = Links(rule_links=True)
LARGE = ["error_message", "error_stack", "execution_context", "logs", "trigger_data"]
READABLE = a_failed_execution()
NAMES = 60
"""Bytes that an answer needs to say what was left out."""
FIELDS = {one.name: getattr(READABLE, one.name) for one in attrs.fields(ListedExecution)}


def a_listed_one(**changes: Any) -> ListedExecution:
    return ListedExecution(**{**FIELDS, "tenant": TENANT, **changes})


def of_size(size: int, **changes: Any) -> ListedExecution:
    """One whose only payload is a string of so many bytes, quotes included."""
    values = {**dict.fromkeys(LARGE), "trigger_data": Json(f'"{"x" * (size - 2)}"')}
    return a_listed_one(**{"execution_id": UUID(int=size), **values, **changes})


def shortest(one: ListedExecution) -> ListedExecution:
    """Itself, or without its payload if that is longer than the names of what was left out."""
    light = attrs.evolve(
        one,
        error_message=None,
        trigger_data=None,
        truncated=frozenset({"error_message", "trigger_data"}),
    )
    return min(one, light, key=lambda some: len(body(the_list([some]))))


def the_list(items: list[ListedExecution], *, may_execute: bool = True) -> ExecutionList:
    return ExecutionList(
        items=items,
        limit=25,
        page=1,
        total=len(items),
        total_is_exact=True,
        next_cursor=None,
        may_execute=may_execute,
    )


def body(found: ExecutionList, query: ExecutionQuery | None = None, links: Links = LINKS) -> bytes:
    return list_answer(found, ExecutionFilter(), query or ExecutionQuery(), links)


def rows(found: ExecutionList, query: ExecutionQuery | None = None) -> list[dict[str, Any]]:
    shown: list[dict[str, Any]] = orjson.loads(body(found, query))["data"]
    return shown


def test_an_answer_of_exactly_8_mib_is_whole() -> None:
    """One byte more, and the last row loses its payload; the first keeps its own."""
    around = len(body(the_list([of_size(2), of_size(3)]))) - 5
    first = of_size(1000)
    fits, too_large = (of_size(MAX_BYTES - around - 1000 + more) for more in (0, 1))

    whole = body(the_list([first, fits]))
    cut = body(the_list([first, too_large]))

    kept, lost = orjson.loads(cut)["data"]
    assert len(whole) == MAX_BYTES
    assert not any("truncated" in one for one in orjson.loads(whole)["data"])
    assert "truncated" not in kept
    assert (lost["trigger_data"], lost["truncated"]) == (None, ["trigger_data"])


def test_rows_are_whole_while_what_is_left_of_the_others_fits() -> None:
    """To the last byte: what a row without its payload needs is counted once."""
    light = attrs.evolve(of_size(9), trigger_data=None, truncated=frozenset({"trigger_data"}))
    around = len(body(the_list([of_size(1000), light]))) - 1000

    answers = [
        body(the_list([of_size(MAX_BYTES - around + more), of_size(MAX_BYTES)])) for more in (0, 1)
    ]

    lost = [["truncated" in one for one in orjson.loads(answer)["data"]] for answer in answers]
    assert [len(answers[0]), *lost] == [MAX_BYTES, [False, True], [True, True]]


def test_what_the_storage_left_out_is_named_as_well() -> None:
    """Beside what the answer has no room for."""
    logs_left_out = of_size(MAX_BYTES, truncated=frozenset({"logs"}))

    [shown] = rows(the_list([logs_left_out]))

    assert shown["truncated"] == ["logs", "trigger_data"]


def test_every_payload_and_text_of_later_rows_is_left_out() -> None:
    """Even small ones: the rows before are whole, those after have none."""
    items = [a_listed_one(), of_size(MAX_BYTES), a_listed_one()]

    first, second, third = rows(the_list(items))

    assert "truncated" not in first
    assert second["truncated"] == ["trigger_data"]
    assert third["truncated"] == LARGE
    assert [third[name] for name in LARGE] == [None] * 5
    assert third["status"] == "failed"


def test_what_was_not_asked_for_is_not_called_truncated() -> None:
    """Nor is it counted."""
    query = ExecutionQuery(fields=frozenset({"error_message"}))
    items = [of_size(MAX_BYTES, error_message="late"), a_listed_one()]

    first, second = rows(the_list(items), query)

    assert (first["error_message"], second["error_message"]) == ("late", READABLE.error_message)
    assert "truncated" not in first


@given(st.lists(st.tuples(st.integers(2, 900), st.text(max_size=3)), max_size=12), st.integers(0))
def test_no_answer_is_larger_and_no_row_is_lost(texts: list[tuple[int, str]], seed: int) -> None:
    """However large the rows are: whole ones first, then light ones."""
    items = [of_size(size, error_message=text, execution_id=uuid4()) for size, text in texts]
    sizes = {str(one.execution_id): size for one, (size, _) in zip(items, texts, strict=True)}
    least, most = (len(body(the_list(some))) for some in ([*map(shortest, items)], items))
    limit = least + seed % (most - least + 1)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(listing, "MAX_BYTES", limit)
        answer = body(the_list(items))

    shown = orjson.loads(answer)["data"]
    assert len(answer) <= limit
    assert [one["execution_id"] for one in shown] == [str(one.execution_id) for one in items]
    lost = [one["trigger_data"] is None for one in shown if sizes[one["execution_id"]] > NAMES]
    assert lost == sorted(lost)
    assert not any(lost) or limit < most


def test_an_odd_row_shows_what_can_be_read() -> None:
    """And names what cannot; no rule, no link to it; no link to a retry that would fail."""
    odd = ListedExecution(
        tenant=TENANT,
        execution_id=UUID(int=2),
        status=ExecutionStatus.FAILED,
        started_at=NOON,
        unreadable=frozenset({"automation_rule_id", "completed_at"}),
    )

    [shown] = rows(the_list([odd]))

    assert shown["automation_rule_id"] is None
    assert shown["started_at"] == "2026-11-23T12:00:00.123456Z"
    assert shown["unreadable"] == ["automation_rule_id", "completed_at"]
    assert shown["_links"] == {"self": f"/api/v1/automation/executions/{odd.execution_id}"}


def test_an_unknown_status_is_shown_as_it_is() -> None:
    """An open string, on reads."""
    [shown] = rows(the_list([a_listed_one(status=UnknownStatus("paused"))]))

    assert shown["status"] == "paused"
    assert "retry" not in shown["_links"]


@pytest.mark.parametrize("may_execute", [True, False])
def test_a_retry_is_linked_for_whoever_may(may_execute: bool) -> None:
    """Of a failed one."""
    [shown] = rows(the_list([a_listed_one()], may_execute=may_execute))

    assert ("retry" in shown["_links"]) is may_execute


def test_links_begin_with_the_root_path() -> None:
    """And there are none to rules where nobody serves them."""
    answer = body(the_list([a_listed_one()]), links=Links(rule_links=False, root_path="/retry"))

    [shown] = orjson.loads(answer)["data"]
    own = f"/retry/api/v1/automation/executions/{READABLE.execution_id}"
    assert shown["_links"] == {"self": own, "retry": f"{own}/retry"}


def test_a_list_after_a_cursor_knows_nothing_about_pages() -> None:
    """Null, rather than a guess."""
    found = attrs.evolve(
        the_list([a_listed_one()]), page=None, total=None, total_is_exact=None, next_cursor="abc"
    )

    assert orjson.loads(body(found))["pagination"] == {
        "page": None,
        "limit": 25,
        "total": None,
        "totalPages": None,
        "hasNext": True,
        "hasPrev": None,
        "totalIsExact": None,
        "nextCursor": "abc",
    }
