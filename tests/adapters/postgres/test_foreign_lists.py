"""Lists and failure groups of rows that another program wrote: no odd one fails an answer."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.foreign_rows import ForeignRows, create_table, foreign_rows
from tests.support.world import EXECUTIONS

GROUPS = "/api/v1/automation/failure-groups"
TIME = "2026-11-23 12:00:00+00"
DAY = "failed_from=2026-11-23T00:00:00Z&failed_to=2026-11-24T00:00:00Z"


@pytest.fixture
async def rows(empty_database_url: str) -> AsyncIterator[ForeignRows]:
    create_table(empty_database_url)
    async with foreign_rows(empty_database_url) as rows:
        yield rows


ODD: list[tuple[dict[str, Any], list[str]]] = [
    ({"automation_rule_id": None}, ["automation_rule_id"]),
    ({"actions_total": None}, ["actions_total"]),
    ({"actions_total": -1}, ["actions_total"]),
    ({"started_at": "infinity", "completed_at": "-infinity"}, ["completed_at", "started_at"]),
    ({"completed_at": "294276-12-31 23:59:59+00"}, ["completed_at"]),
    ({"started_at": "4713-01-01 00:00:00+00 BC"}, ["started_at"]),
    ({"duration_ms": "NaN", "actions_failed": -1}, ["actions_failed", "duration_ms"]),
    ({"status": None}, ["status"]),
]


@pytest.mark.parametrize(("values", "unreadable"), ODD, ids=",".join)
async def test_an_odd_row_is_listed_beside_the_others(
    rows: ForeignRows, values: dict[str, Any], unreadable: list[str]
) -> None:
    """Under each order; what cannot be read is null and named."""
    odd = rows.insert(**values)
    plain = rows.insert(started_at=TIME)

    for sort in ("started_at", "failed_at", "completed_at", "duration_ms"):
        for order in ("asc", "desc"):
            query = f"sort={sort}&order={order}"
            answer = await rows.world.get(f"{EXECUTIONS}?{query}", rows.key)
            shown = {one["execution_id"]: one for one in answer.json()["data"]}
            assert shown.keys() == {str(odd), str(plain)}
            assert shown[str(odd)]["unreadable"] == unreadable
            assert [shown[str(odd)][name] for name in unreadable] == [None] * len(unreadable)
            assert "unreadable" not in shown[str(plain)]


@pytest.mark.parametrize(("values", "_"), ODD, ids=",".join)
async def test_an_odd_row_is_retryable_exactly_where_it_is_linked(
    rows: ForeignRows, values: dict[str, Any], _: list[str]
) -> None:
    """What a retry clears may be odd; what it keeps may not."""
    rows.insert(**values)
    [shown] = (await rows.world.get(EXECUTIONS, rows.key)).json()["data"]

    answer = await rows.world.retry(shown["execution_id"], rows.key)

    assert (answer.status_code == 200) is ("retry" in shown["_links"])


async def test_a_cursor_passes_odd_rows(rows: ForeignRows) -> None:
    """Infinite times have a place in the order, and so has no time."""
    times = ["infinity", TIME, TIME, "-infinity", None, None]
    inserted = {str(rows.insert(started_at=time)) for time in times}

    for order in ("asc", "desc"):
        seen: list[str] = []
        query: str | None = ""
        while query is not None:
            answer = await rows.world.get(f"{EXECUTIONS}?limit=1&order={order}{query}", rows.key)
            seen += [one["execution_id"] for one in answer.json()["data"]]
            cursor = answer.json()["pagination"]["nextCursor"]
            query = None if cursor is None else f"&cursor={cursor}"
        assert len(seen) == len(times)
        assert {*seen} == inserted


async def test_failures_without_a_rule_are_a_group(rows: ForeignRows) -> None:
    """Its link lists them."""
    rows.insert(automation_rule_id=None, completed_at=TIME, error_message="odd 1")
    rows.insert(automation_rule_id=None, completed_at=TIME, error_message="odd 2")

    [group] = (await rows.world.get(f"{GROUPS}?{DAY}", rows.key)).json()["data"]
    listed = (await rows.world.get(group["_links"]["executions"], rows.key)).json()

    assert (group["automation_rule_id"], group["pattern"], group["count"]) == (None, "odd <n>", 2)
    assert group["_links"].keys() == {"executions"}
    assert listed["pagination"]["total"] == 2
