"""Which executions a list has, in which order, and what it shows of them."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import attrs
import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from automation_retry.application import Direction, ExecutionFilter, SortField, Sorting
from automation_retry.application.ports import ListedExecution, Window
from automation_retry.domain import Execution, ExecutionStatus, UnknownStatus
from tests.contracts.execution_queries import reference
from tests.contracts.execution_queries.rows import (
    FAILED,
    RULES,
    filters,
    row_lists,
    sortings,
    stored,
)
from tests.contracts.storage import StorageUnderTest
from tests.support.factories import NOON, a_failed_execution, an_execution, executions

ALL = Window(limit=1000)
SIZED = frozenset({"error_message", "error_stack", "trigger_data", "execution_context", "logs"})


def ids(listed: Sequence[Execution | ListedExecution]) -> list[UUID]:
    return [one.execution_id for one in listed]


async def found(storage: StorageUnderTest, tenant: UUID, **conditions: Any) -> frozenset[UUID]:
    """The ids of those that match."""
    listed = await storage.queries.executions(
        tenant, ExecutionFilter(**conditions), Sorting(), ALL, ()
    )
    return frozenset(ids(listed.items))


@given(rows=row_lists, wanted=filters(), sorting=sortings)
@settings(max_examples=200, deadline=None)
async def test_a_list_has_what_matches_in_order(
    storage: StorageUnderTest, rows: Sequence[Execution], wanted: ExecutionFilter, sorting: Sorting
) -> None:
    """Filters and order agree with plain Python, nulls and ties and another tenant included."""
    tenant, own = await stored(storage, rows)
    expected = reference.in_order(reference.matching(own, wanted), sorting)
    listed = await storage.queries.executions(tenant, wanted, sorting, ALL, ())

    assert ids(listed.items) == ids(expected)
    assert (listed.total, listed.next) == (len(expected), None)


@given(rows=row_lists, sorting=sortings, limit=st.integers(1, 5), offset=st.integers(0, 14))
@settings(max_examples=50, deadline=None)
async def test_a_window_is_a_part_of_the_list(
    storage: StorageUnderTest,
    rows: Sequence[Execution],
    sorting: Sorting,
    limit: int,
    offset: int,
) -> None:
    """The next position is the last execution's exactly if another one follows."""
    tenant, own = await stored(storage, rows)
    expected = ids(reference.in_order(own, sorting))
    part = expected[offset : offset + limit]
    window = Window(limit=limit, offset=offset)
    listed = await storage.queries.executions(tenant, ExecutionFilter(), sorting, window, ())

    assert ids(listed.items) == part
    assert listed.total == len(expected)
    assert (listed.next and listed.next.execution_id) == (
        part[-1] if part and len(expected) > offset + limit else None
    )


@given(row=executions())
@settings(max_examples=50, deadline=None)
async def test_a_list_shows_every_value_as_it_is_stored(
    storage: StorageUnderTest, row: Execution
) -> None:
    """Every field of every valid execution survives."""
    tenant, [own] = await stored(storage, [row])
    listed = await storage.queries.executions(tenant, ExecutionFilter(), Sorting(), ALL, SIZED)
    expected = {one.name: getattr(own, one.name) for one in attrs.fields(ListedExecution)}

    assert listed.items == [ListedExecution(**expected)]


@pytest.mark.parametrize("name", sorted(SIZED))
async def test_texts_and_payloads_are_read_on_demand(storage: StorageUnderTest, name: str) -> None:
    """What was not asked for is None, and not named as truncated."""
    tenant, [own] = await stored(storage, [a_failed_execution()])
    listed = await storage.queries.executions(tenant, ExecutionFilter(), Sorting(), ALL, {name})
    [item] = listed.items

    assert getattr(item, name) == getattr(own, name)
    assert all(getattr(item, other) is None for other in SIZED - {name})
    assert (item.truncated, item.unreadable) == (frozenset(), frozenset())


async def test_a_list_without_a_count_has_no_total(storage: StorageUnderTest) -> None:
    """Counting is left out where nobody asks."""
    tenant, _ = await stored(storage, [an_execution()])
    window = Window(limit=1, counted=False)
    listed = await storage.queries.executions(tenant, ExecutionFilter(), Sorting(), window, ())

    assert (len(listed.items), listed.total) == (1, None)


async def test_a_total_counts_to_one_more_than_ten_thousand(storage: StorageUnderTest) -> None:
    """So that exactly 10,000 can be told from more."""
    pending = [an_execution(automation_rule_id=RULES[0]) for _ in range(10_000)]
    skipped = [an_execution(status=ExecutionStatus.SKIPPED) for _ in range(3)]
    tenant, _ = await stored(storage, [*pending, *skipped])
    window = Window(limit=1)
    exactly = ExecutionFilter(automation_rule_id=RULES[0])
    some = await storage.queries.executions(tenant, exactly, Sorting(), window, ())
    every = await storage.queries.executions(tenant, ExecutionFilter(), Sorting(), window, ())

    assert (some.total, every.total) == (10_000, 10_001)


@pytest.mark.parametrize("status", ExecutionStatus)
async def test_executions_are_found_by_status(
    storage: StorageUnderTest, status: ExecutionStatus
) -> None:
    """Each of the seven finds its own, and no text that only resembles it."""
    rows = [an_execution(status=one) for one in ExecutionStatus]
    rows += [an_execution(status=UnknownStatus(f"{status.value}{end}")) for end in ("x", "\n")]
    rows.append(an_execution(status=UnknownStatus(status.value.upper())))
    tenant, own = await stored(storage, rows)

    assert await found(storage, tenant, statuses=frozenset({status})) == {
        row.execution_id for row in own if row.status is status
    }


async def test_unknown_statuses_are_listed_as_they_are(storage: StorageUnderTest) -> None:
    """Without a filter by status nothing is left out."""
    tenant, [own] = await stored(storage, [an_execution(status=UnknownStatus("archived"))])
    listed = await storage.queries.executions(tenant, ExecutionFilter(), Sorting(), ALL, ())

    assert [one.status for one in listed.items] == [UnknownStatus("archived")]
    assert await found(storage, tenant, automation_rule_id=own.automation_rule_id)


async def test_a_status_of_any_length_leaves_a_list_readable(storage: StorageUnderTest) -> None:
    """Up to 1,000 bytes it is shown."""
    longest, longer = UnknownStatus(500 * "\u00e9"), UnknownStatus(500 * "\u00e9" + "e")
    rows = [an_execution(status=longest), an_execution(status=longer)]
    tenant, _ = await stored(storage, rows)
    listed = await storage.queries.executions(tenant, ExecutionFilter(), Sorting(), ALL, ())

    shown = {(one.status, one.unreadable) for one in listed.items}
    assert shown == {(longest, frozenset()), (None, frozenset({"status"}))}


@pytest.mark.parametrize(
    ("message", "search"),
    [
        ("\N{KELVIN SIGN}", "k"),
        ("k", "\N{KELVIN SIGN}"),
        ("\N{LATIN SMALL LETTER LONG S}", "S"),
        ("\N{LATIN SMALL LETTER DOTLESS I}", "i"),
        ("I", "\N{LATIN SMALL LETTER DOTLESS I}"),
        ("\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}", "i"),
        ("\u00c9", "\u00e9"),
        ("\u00df", "ss"),
        ("e\N{COMBINING ACUTE ACCENT}", "\u00e9"),
        ("at 50 of 100", "50%100"),
        ("user name", "user_name"),
        ("a", "\\a"),
        ("aaa", "a*"),
        ("abc", "a.c"),
        ("ab", "a b"),
    ],
)
async def test_a_search_takes_characters_for_nothing_else(
    storage: StorageUnderTest, message: str, search: str
) -> None:
    """Only ASCII letters have two cases, and nothing is a wildcard."""
    rows = [a_failed_execution(error_message=text) for text in (message, f"<{search}>")]
    tenant, [_, literal] = await stored(storage, rows)

    assert await found(storage, tenant, search=search) == {literal.execution_id}


async def test_a_search_may_have_every_ascii_letter_in_either_case(
    storage: StorageUnderTest,
) -> None:
    """The text is anywhere in the message, on whatever line."""
    letters = "The quick brown fox jumps over the lazy dog"
    message = f"first line\nthen {letters.upper()}\r\nat line 4711"
    tenant, [own] = await stored(storage, [a_failed_execution(error_message=message)])

    for search in (letters, letters.lower(), letters.upper(), letters.swapcase(), "\nTHEN"):
        assert await found(storage, tenant, search=search) == {own.execution_id}


async def test_times_are_bounded_to_the_microsecond(storage: StorageUnderTest) -> None:
    """From is inclusive, to is exclusive; a failure counts when it was completed, else started."""
    step = timedelta(microseconds=1)
    tenant, [at, before, neither] = await stored(
        storage,
        [
            a_failed_execution(started_at=NOON - step, completed_at=NOON),
            a_failed_execution(started_at=NOON - step, completed_at=None),
            a_failed_execution(started_at=None, completed_at=None),
        ],
    )
    every = {at.execution_id, before.execution_id}

    assert await found(storage, tenant, failed_from=NOON) == {at.execution_id}
    assert await found(storage, tenant, failed_to=NOON) == {before.execution_id}
    assert await found(storage, tenant, failed_from=NOON - step) == every
    assert await found(storage, tenant, started_from=NOON - step, started_to=NOON) == every
    assert neither.execution_id in await found(storage, tenant, statuses=FAILED)


@pytest.mark.parametrize("field", SortField)
@pytest.mark.parametrize("direction", Direction)
async def test_executions_without_a_value_come_last(
    storage: StorageUnderTest, field: SortField, direction: Direction
) -> None:
    """In both directions; among themselves they are ordered by id."""
    without = {"started_at": None, "completed_at": None, "duration_ms": None}
    rows = [an_execution(**without) for _ in range(3)]
    valued = evolve(a_failed_execution(), execution_id=uuid4())
    tenant, _ = await stored(storage, [*rows, valued])
    sorting = Sorting(by=field, direction=direction)
    listed = await storage.queries.executions(tenant, ExecutionFilter(), sorting, ALL, ())

    assert ids(listed.items) == [
        valued.execution_id,
        *sorted(ids(rows), key=lambda one: one.bytes, reverse=sorting.descending),
    ]


async def test_an_unknown_group_and_an_unknown_tenant_have_no_executions(
    storage: StorageUnderTest,
) -> None:
    """Nothing matches, which is no error."""
    tenant, _ = await stored(storage, [a_failed_execution()])

    assert await found(storage, tenant, failure_group_id=f"fg_{16 * '0'}") == frozenset()
    assert await found(storage, uuid4()) == frozenset()
