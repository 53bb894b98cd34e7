"""How much of texts and payloads a list reads."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest

from automation_retry.application import Direction, ExecutionFilter, Sorting
from automation_retry.application.ports import MAX_READ_BYTES, Window
from automation_retry.domain import Execution
from tests.contracts.execution_queries.rows import stored
from tests.contracts.storage import StorageUnderTest
from tests.support.factories import a_failed_execution

KIB = 2**10


async def truncated(
    storage: StorageUnderTest, rows: Sequence[Execution], *fields: str
) -> Sequence[set[str]]:
    """What is left out of each, in their order."""
    tenant, own = await stored(storage, rows)
    listed = await storage.queries.executions(
        tenant, ExecutionFilter(), Sorting(direction=Direction.ASC), Window(limit=100), fields
    )
    for item, row in zip(listed.items, own, strict=True):
        for name in fields:
            left_out = name in item.truncated
            assert getattr(item, name) == (None if left_out else getattr(row, name))
    return [set(item.truncated) for item in listed.items]


def in_order(*values: dict[str, Any]) -> Sequence[Execution]:
    """Executions that started at once and are sorted by their ids."""
    return [
        a_failed_execution(execution_id=UUID(int=number), **one)
        for number, one in enumerate(values)
    ]


@pytest.mark.parametrize(
    ("name", "large", "small"),
    [
        ("error_stack", 450 * KIB * "\u00e9", "\u00e9"),
        ("error_message", 300 * KIB * "\u4f60", "\u4f60"),
        ("trigger_data", {"text": 900 * KIB * "x"}, {}),
        ("execution_context", {"text": 900 * KIB * "x"}, {}),
    ],
)
async def test_what_exceeds_eight_mebibytes_is_truncated(
    storage: StorageUnderTest, name: str, large: Any, small: Any
) -> None:
    """Nine of 900 KiB fit, and something small; nothing after the first that does not fit."""
    values = [*(9 * [large]), small, large, small]
    rows = in_order(*({name: value} for value in values))

    assert await truncated(storage, rows, name) == [*(10 * [set()]), {name}, {name}]


async def test_texts_may_have_eight_mebibytes_exactly(storage: StorageUnderTest) -> None:
    """An empty text fits even then."""
    each = KIB * KIB
    full = MAX_READ_BYTES // each * [{"error_stack": each * "x"}]
    rows = in_order(*full, {"error_stack": "x"}, {"error_stack": ""})

    assert await truncated(storage, rows, "error_stack") == [
        *(len(full) * [set()]),
        {"error_stack"},
        set(),
    ]


async def test_all_fields_share_the_room(storage: StorageUnderTest) -> None:
    """Of the executions at the end of the list less is shown than of those before."""
    half = 500 * KIB * "x"
    rows = in_order(*(12 * [{"error_stack": half, "trigger_data": {"text": half}}]))
    found = await truncated(storage, rows, "error_stack", "trigger_data")

    assert found[:8] == 8 * [set()]
    assert found[9:] == 3 * [{"error_stack", "trigger_data"}]


async def test_what_is_not_asked_for_takes_no_room(storage: StorageUnderTest) -> None:
    """A list without stacks shows every message."""
    rows = in_order(*(10 * [{"error_stack": 1000 * KIB * "x", "error_message": "no answer"}]))

    assert await truncated(storage, rows, "error_message") == 10 * [set()]
