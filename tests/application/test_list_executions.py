"""The rules of a list: who may read it, how much at once, and where it goes on."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import pytest

from automation_retry.adapters.memory import MemoryStore
from automation_retry.application import (
    ExecutionFilter,
    InvalidParameters,
    ListExecutions,
)
from automation_retry.application.executions.list import LARGE
from automation_retry.application.ports import ListedExecution
from automation_retry.domain import (
    AUTOMATION_EXECUTE,
    AUTOMATION_READ,
    Execution,
    PermissionDenied,
    Principal,
)
from tests.support.factories import a_failed_execution, a_principal, an_execution


def ids(rows: Sequence[Execution | ListedExecution]) -> list[UUID]:
    return [row.execution_id for row in rows]


async def refused(
    list_executions: ListExecutions, principal: Principal, *wanted: ExecutionFilter, **asked: Any
) -> Mapping[str, str]:
    """What was expected instead, by parameter."""
    with pytest.raises(InvalidParameters) as raised:
        await list_executions(principal, *wanted, **asked)
    return raised.value.expected


async def test_asks_for_permission_first(list_executions: ListExecutions) -> None:
    """Those who may only execute learn nothing, not even that their limit is wrong."""
    with pytest.raises(PermissionDenied) as denied:
        await list_executions(a_principal(permissions=frozenset({AUTOMATION_EXECUTE})), limit=0)
    assert denied.value.permission == AUTOMATION_READ


@pytest.mark.parametrize("permissions", [{AUTOMATION_READ}, {AUTOMATION_READ, AUTOMATION_EXECUTE}])
async def test_says_whether_the_reader_may_retry(
    list_executions: ListExecutions, permissions: set[Any]
) -> None:
    """So that an answer links to retries exactly where they would work."""
    reader = a_principal(permissions=frozenset(permissions))

    assert (await list_executions(reader)).may_execute is (AUTOMATION_EXECUTE in permissions)


@pytest.mark.parametrize(
    ("page", "shown"),
    [(1, slice(0, 3)), (2, slice(3, 6)), (3, slice(6, 7)), (4, slice(0, 0))],
)
async def test_pages_count_from_one(
    list_executions: ListExecutions,
    principal: Principal,
    seven: Sequence[Execution],
    page: int,
    shown: slice,
) -> None:
    """Each says the total, and has a cursor exactly if something follows."""
    listed = await list_executions(principal, page=page, limit=3)

    assert ids(listed.items) == ids(seven[shown])
    assert (listed.page, listed.limit) == (page, 3)
    assert (listed.total, listed.total_is_exact) == (7, True)
    assert (listed.next_cursor is None) is (page >= 3)


async def test_twenty_five_of_the_first_page_are_the_default(
    store: MemoryStore, list_executions: ListExecutions, principal: Principal
) -> None:
    """All executions of the tenant, with all their fields."""
    store.add([a_failed_execution(tenant=principal.tenant) for _ in range(26)])
    listed = await list_executions(principal)

    assert (listed.page, listed.limit, len(listed.items), listed.total) == (1, 25, 25, 26)
    assert all(
        None not in (row.error_stack, row.trigger_data, row.execution_context, row.logs)
        for row in listed.items
    )


async def test_a_total_is_exact_up_to_ten_thousand(
    store: MemoryStore, list_executions: ListExecutions, principal: Principal
) -> None:
    """Beyond, it stays 10,000 and says so; the last page of all has a cursor."""
    store.add([an_execution(tenant=principal.tenant) for _ in range(10_000)])
    exact = await list_executions(principal, fields=(), limit=1000, page=10)
    store.add([an_execution(tenant=principal.tenant)])
    more = await list_executions(principal, fields=(), limit=1000, page=10)

    assert (exact.total, exact.total_is_exact, exact.next_cursor) == (10_000, True, None)
    assert (more.total, more.total_is_exact) == (10_000, False)
    assert more.next_cursor
    rest = await list_executions(principal, cursor=more.next_cursor)
    assert len(rest.items) == 1


@pytest.mark.parametrize("fields", [None, *([name] for name in sorted(LARGE))])
async def test_a_hundred_with_large_fields_are_the_most(
    list_executions: ListExecutions, principal: Principal, fields: Sequence[str] | None
) -> None:
    """All fields are meant where none is named."""
    assert (await list_executions(principal, limit=100, fields=fields)).limit == 100
    for limit in (0, -1, 101):
        assert await refused(list_executions, principal, limit=limit, fields=fields) == {
            "limit": "one whole number from 1 to 100"
        }


@pytest.mark.parametrize("fields", [(), ["error_message"], ["execution_id", "status"]])
async def test_a_thousand_without_large_fields_are_the_most(
    list_executions: ListExecutions, principal: Principal, fields: Sequence[str]
) -> None:
    """Messages are small enough."""
    assert (await list_executions(principal, limit=1000, fields=fields)).limit == 1000
    for limit in (0, 1001):
        assert await refused(list_executions, principal, limit=limit, fields=fields) == {
            "limit": "one whole number from 1 to 1000"
        }


@pytest.mark.parametrize(("limit", "most"), [(25, 400), (100, 100), (3, 3333), (1, 10_000)])
async def test_pages_reach_to_the_ten_thousandth_execution(
    list_executions: ListExecutions, principal: Principal, limit: int, most: int
) -> None:
    """A cursor goes on beyond."""
    assert (await list_executions(principal, page=most, limit=limit)).page == most
    for page in (0, -1, most + 1):
        assert await refused(list_executions, principal, page=page, limit=limit) == {
            "page": f"one whole number from 1 to {most}; a cursor goes on beyond"
        }
