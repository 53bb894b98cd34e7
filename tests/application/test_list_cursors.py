"""Where a list goes on, and that it goes on in no other list."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta, timezone
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automation_retry.adapters.granted_permissions import GrantedPermissions
from automation_retry.adapters.memory import MemoryStore
from automation_retry.adapters.memory.execution_queries import MemoryExecutionQueries
from automation_retry.application import (
    Direction,
    ExecutionFilter,
    ExecutionList,
    InvalidParameters,
    ListExecutions,
    SortField,
    Sorting,
)
from automation_retry.application.ports import ListedExecution
from automation_retry.domain import Execution, ExecutionStatus, Principal
from tests.support.factories import NOON, a_failed_execution, a_principal, an_execution

FAILED = ExecutionFilter(statuses=frozenset({ExecutionStatus.FAILED}))


def ids(rows: Sequence[Execution | ListedExecution]) -> list[UUID]:
    return [row.execution_id for row in rows]


async def refused(
    list_executions: ListExecutions, principal: Principal, *wanted: ExecutionFilter, **asked: Any
) -> Sequence[str]:
    """The parameters that are wrong."""
    with pytest.raises(InvalidParameters) as raised:
        await list_executions(principal, *wanted, **asked)
    return list(raised.value.expected)


async def walked(
    list_executions: ListExecutions, principal: Principal, **asked: Any
) -> Sequence[ExecutionList]:
    """The first part of a list and all that its cursors lead to."""
    parts = [await list_executions(principal, **asked)]
    while cursor := parts[-1].next_cursor:
        parts.append(await list_executions(principal, cursor=cursor, **asked))
    return parts


@pytest.mark.parametrize("limit", [1, 2, 7, 8])
@pytest.mark.parametrize("direction", Direction)
async def test_cursors_lead_through_the_list(
    list_executions: ListExecutions,
    principal: Principal,
    seven: Sequence[Execution],
    limit: int,
    direction: Direction,
) -> None:
    """A part after a cursor has no number and no total."""
    sorting = Sorting(direction=direction)
    first, *others = await walked(list_executions, principal, limit=limit, sorting=sorting)
    found = [row for part in (first, *others) for row in part.items]

    assert ids(found) == ids(seven if sorting.descending else seven[::-1])
    assert (first.page, first.total, first.total_is_exact) == (1, 7, True)
    assert all((one.page, one.total, one.total_is_exact) == (None,) * 3 for one in others)


async def test_limit_and_fields_may_change_on_the_way(
    list_executions: ListExecutions, principal: Principal, seven: Sequence[Execution]
) -> None:
    """A page has a cursor too."""
    page = await list_executions(principal, page=2, limit=2)
    rest = await list_executions(principal, cursor=page.next_cursor, limit=500, fields=["status"])

    assert ids(rest.items) == ids(seven[4:])


@pytest.mark.parametrize(
    ("wanted", "sorting"),
    [
        (ExecutionFilter(), Sorting()),
        (ExecutionFilter(automation_rule_id=uuid4()), Sorting()),
        (ExecutionFilter(statuses=frozenset(ExecutionStatus)), Sorting()),
        (ExecutionFilter(failed_to=NOON + timedelta(days=1)), Sorting()),
        (ExecutionFilter(has_errors=True), Sorting()),
        (ExecutionFilter(search="SMTP"), Sorting()),
        (ExecutionFilter(duration_min_ms=0), Sorting()),
        (ExecutionFilter(duration_max_ms=1e9), Sorting()),
        (FAILED, Sorting(direction=Direction.ASC)),
        (FAILED, Sorting(by=SortField.FAILED_AT)),
        (FAILED, Sorting(by=SortField.COMPLETED_AT)),
    ],
)
async def test_a_cursor_belongs_to_one_list(
    list_executions: ListExecutions,
    principal: Principal,
    seven: Sequence[Execution],
    wanted: ExecutionFilter,
    sorting: Sorting,
) -> None:
    """Another filter, sort or order makes another one, even if it has the same executions."""
    cursor = (await list_executions(principal, FAILED, limit=2)).next_cursor
    asked: dict[str, Any] = {"sorting": sorting, "cursor": cursor}

    assert await refused(list_executions, principal, wanted, **asked) == ["cursor"]
    rest = await list_executions(principal, FAILED, cursor=cursor)
    assert ids(rest.items) == ids(seven[2:])


async def test_a_cursor_belongs_to_one_tenant(
    store: MemoryStore, list_executions: ListExecutions, principal: Principal
) -> None:
    """Whoever of that tenant goes on with it."""
    store.add([an_execution(tenant=principal.tenant) for _ in range(2)])
    cursor = (await list_executions(principal, limit=1)).next_cursor
    colleague = a_principal(tenant=principal.tenant)

    assert (await list_executions(colleague, cursor=cursor)).items
    assert await refused(list_executions, a_principal(), cursor=cursor) == ["cursor"]


@pytest.mark.usefixtures("seven")
async def test_the_same_time_in_another_zone_is_the_same_filter(
    list_executions: ListExecutions, principal: Principal
) -> None:
    """A client may say it as it likes."""
    start = NOON - timedelta(days=1)
    there = start.astimezone(timezone(timedelta(hours=-3)))
    first = await list_executions(principal, ExecutionFilter(failed_from=start), limit=1)
    rest = await list_executions(
        principal, ExecutionFilter(failed_from=there), cursor=first.next_cursor
    )

    assert len(rest.items) == 6


@pytest.mark.usefixtures("seven")
async def test_a_cursor_and_a_page_exclude_each_other(
    list_executions: ListExecutions, principal: Principal
) -> None:
    """Even the first page, or one that is none."""
    cursor = (await list_executions(principal, limit=1)).next_cursor

    for page in (0, 1):
        assert await refused(list_executions, principal, cursor=cursor, page=page) == ["page"]


@given(
    position=st.lists(st.none() | st.text(), max_size=3)
    | st.tuples(st.none() | st.text(), st.uuids().map(str)).map(list),
    by=st.sampled_from(SortField),
)
async def test_a_made_up_position_is_a_place_or_refused(
    position: list[str | None], by: SortField
) -> None:
    """Even in a cursor that says rightly which list it is of."""
    store, reader = MemoryStore(), a_principal()
    store.add([a_failed_execution(tenant=reader.tenant) for _ in range(2)])
    list_executions = ListExecutions(GrantedPermissions(), MemoryExecutionQueries(store))
    sorting = Sorting(by=by)
    cursor = (await list_executions(reader, sorting=sorting, limit=1)).next_cursor
    assert cursor
    [digest, *_] = json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    made_up = urlsafe_b64encode(json.dumps([digest, *position]).encode()).decode().rstrip("=")
    with suppress(InvalidParameters):
        listed = await list_executions(reader, sorting=sorting, cursor=made_up)

        assert len(position) == 2
        assert listed.page is None
