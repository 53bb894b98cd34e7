"""Lists and groups of rows that other programs wrote, in columns of other types."""

from typing import Any
from uuid import uuid4

import pytest

from tests.adapters.postgres.test_column_types import SETTINGS, TABLES
from tests.support.foreign_rows import ForeignRows, create_table, create_types, foreign_rows
from tests.support.world import EXECUTIONS

GROUPS = "/api/v1/automation/failure-groups"
FIRST, SECOND, THIRD = (f"2026-01-02 03:04:0{second}" for second in (1, 2, 3))
"""In UTC, as a column without a zone holds it."""
RANGE = {"failed_from": "2026-01-02T03:04:02Z", "failed_to": "2026-01-02T03:04:04+00:00"}


async def listed(rows: ForeignRows, **query: Any) -> list[str]:
    """The ids, read in parts of two, which a cursor connects."""
    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        parameters = {"limit": 2, **query, **cursor}
        answer = await rows.world.client.get(
            EXECUTIONS, params=parameters, headers={"x-api-key": rows.key}
        )
        assert answer.status_code == 200, answer.text
        found += [one["execution_id"] for one in answer.json()["data"]]
        following = answer.json()["pagination"]["nextCursor"]
        if following is None:
            return found
        cursor = {"cursor": following}


@pytest.mark.parametrize("settings", SETTINGS, ids=["defaults", "German", "SQL"])
@pytest.mark.parametrize("types", TABLES)
async def test_any_types_of_columns_are_listed(
    empty_database_url: str, types: dict[str, str], settings: tuple[str, ...]
) -> None:
    """Sorted, filtered and grouped alike; times without a zone are in UTC."""
    create_types(empty_database_url)
    create_table(empty_database_url, **types)
    async with foreign_rows(empty_database_url, settings=settings) as rows:
        rule = uuid4()
        ids = [
            str(
                rows.insert(
                    automation_rule_id=rule,
                    started_at=zoned(types, "started_at", "2026-01-01 00:00:00"),
                    completed_at=zoned(types, "completed_at", moment),
                    duration_ms=1000 * number,
                    error_message=f"disk {number} is full",
                )
            )
            for number, moment in enumerate((FIRST, SECOND, THIRD), start=1)
        ]
        endless = str(rows.insert(automation_rule_id=rule, status="running"))

        by_failure = await listed(rows, status="failed", sort="failed_at", order="asc")
        in_range = await listed(rows, sort="failed_at", **RANGE)
        longest_first = await listed(rows, sort="duration_ms")
        long = await listed(rows, duration_min_ms=1500, duration_max_ms=2500)
        answer = await rows.world.get(f"{GROUPS}?failed_to=2026-01-03T00:00:00Z", rows.key)

    assert by_failure == ids
    assert in_range == [ids[2], ids[1]]
    assert longest_first == [*reversed(ids), endless]
    assert long == [ids[1]]
    [group] = answer.json()["data"]
    assert (group["pattern"], group["count"]) == ("disk <n> is full", 3)
    assert group["first_failed_at"].startswith("2026-01-02T03:04:0")
    assert group["example"] == {"execution_id": ids[2], "error_message": "disk 3 is full"}


def zoned(types: dict[str, str], column: str, moment: str) -> str:
    return moment if types.get(column, "timestamptz") in WITHOUT_ZONE else f"{moment}+00"


WITHOUT_ZONE = {"timestamp", "timestamp(0)"}

ODD = [
    pytest.param({"automation_rule_id": None}, {"automation_rule_id"}, id="no rule"),
    pytest.param({"status": None}, {"status"}, id="no status"),
    pytest.param({"actions_total": None}, {"actions_total"}, id="no total"),
    pytest.param({"actions_total": -1}, {"actions_total"}, id="negative total"),
    pytest.param({"retry_count": -3}, {"retry_count"}, id="negative generation"),
    pytest.param({"started_at": "infinity"}, {"started_at"}, id="endless start"),
    pytest.param({"completed_at": "-infinity"}, {"completed_at"}, id="endless end"),
    pytest.param({"started_at": "200000-01-01"}, {"started_at"}, id="far future"),
    pytest.param({"duration_ms": "NaN"}, {"duration_ms"}, id="no number"),
    pytest.param({"duration_ms": -1}, {"duration_ms"}, id="negative duration"),
    pytest.param({"actions_failed": -1}, {"actions_failed"}, id="negative counter"),
]


@pytest.fixture
async def rows(empty_database_url: str) -> Any:
    create_table(empty_database_url, status="text", retry_count="integer")
    async with foreign_rows(empty_database_url) as opened:
        yield opened


@pytest.mark.parametrize(("values", "unreadable"), ODD)
async def test_one_odd_row_fails_no_list(
    rows: ForeignRows, values: dict[str, Any], unreadable: set[str]
) -> None:
    """It shows what can be read, and has no link to a retry that would fail."""
    plain = rows.insert(error_message="plain", started_at="2026-01-02T00:00:00Z")
    odd = rows.insert(**{"error_message": "odd", "started_at": "2026-01-01T00:00:00Z"} | values)

    for sort in ("started_at", "failed_at", "completed_at", "duration_ms"):
        for order in ("asc", "desc"):
            assert {*await listed(rows, sort=sort, order=order, limit=1)} == {str(odd), str(plain)}
    answer = await rows.world.get(EXECUTIONS, rows.key)
    retry = await rows.world.retry(odd, rows.key)

    found = {one["execution_id"]: one for one in answer.json()["data"]}
    shown = found[str(odd)]
    assert set(shown["unreadable"]) == unreadable
    assert all(shown[name] is None for name in unreadable)
    assert shown["error_message"] == "odd"
    assert "unreadable" not in found[str(plain)]
    assert ("retry" in shown["_links"]) is (retry.status_code == 200)


async def test_failures_without_a_rule_are_a_group(rows: ForeignRows) -> None:
    """Nothing that failed is hidden; a rule's filter does not find them."""
    rule = uuid4()
    ended = "2026-01-02T00:00:00Z"
    rows.insert(automation_rule_id=None, error_message="disk full", completed_at=ended)
    rows.insert(automation_rule_id=rule, error_message="disk full", completed_at=ended)
    until = "failed_to=2026-01-03T00:00:00Z"

    answer = await rows.world.get(f"{GROUPS}?{until}", rows.key)
    of_rule = await rows.world.get(f"{GROUPS}?{until}&automation_rule_id={rule}", rows.key)

    groups = answer.json()["data"]
    assert {group["automation_rule_id"] for group in groups} == {None, str(rule)}
    for group in groups:
        same = await rows.world.get(group["_links"]["executions"], rows.key)
        assert same.json()["pagination"]["total"] == group["count"] == 1
    assert [one["automation_rule_id"] for one in of_rule.json()["data"]] == [str(rule)]


async def test_an_endless_failure_is_in_no_span_of_time(rows: ForeignRows) -> None:
    rows.insert(completed_at="infinity")

    answer = await rows.world.get(f"{GROUPS}?failed_from=0001-01-08T00:00:00Z", rows.key)
    recent = await rows.world.get(GROUPS, rows.key)

    assert answer.status_code == 400
    assert recent.json()["data"] == []


@pytest.mark.parametrize("duration", ["1e400", "1e-400", "NaN"])
async def test_a_duration_beyond_a_double_fails_no_filter(
    empty_database_url: str, duration: str
) -> None:
    create_table(empty_database_url, duration_ms="numeric")
    async with foreign_rows(empty_database_url) as rows:
        plain = rows.insert(duration_ms=20)
        rows.insert(duration_ms=duration)

        assert str(plain) in await listed(rows, duration_min_ms=2.5)
        assert str(plain) in await listed(rows, duration_max_ms=20)
