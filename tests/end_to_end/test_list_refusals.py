"""What lists and failure groups refuse: 400 with every parameter that is wrong, and what is right.

A filter that is misspelt, empty or given twice never widens what is selected.
"""

from typing import Any
from uuid import uuid4

import pytest

from tests.support.factories import a_failed_execution
from tests.support.world import EXECUTIONS, World

GROUPS = "/api/v1/automation/failure-groups"
ME = "/api/v1/automation/me"
TIME = "2026-11-27T08:00:00Z"
GROUP = "fg_0123456789abcdef"

OF_BOTH = [
    ("failed_from=", {"failed_from"}),
    (f"failed_from={TIME}&failed_from={TIME}", {"failed_from"}),
    ("failed_from=2026-11-27", {"failed_from"}),
    ("failed_from=2026-11-27T08:00:00", {"failed_from"}),
    ("failed_from=2026-11-27T08:00Z", {"failed_from"}),
    ("failed_from=2026-11-27%2008:00:00Z", {"failed_from"}),
    ("failed_from=2026-11-27T09:00:00+01:00", {"failed_from"}),
    ("failed_from=2026-02-29T08:00:00Z", {"failed_from"}),
    ("failed_from=0000-01-01T00:00:00Z", {"failed_from"}),
    ("failed_from=0001-01-01T00:00:00%2B00:01", {"failed_from"}),
    ("failed_to=9999-12-31T23:59:59-00:01", {"failed_to"}),
    ("failed_to=9999-12-31T23:59:60Z", {"failed_to"}),
    ("failed_to=%D9%A2026-11-27T08:00:00Z", {"failed_to"}),
    (f"failed_to={TIME}%0A", {"failed_to"}),
    ("failed_to=now", {"failed_to"}),
    (f"failed_from=2026-11-27T08:00:01Z&failed_to={TIME}", {"failed_to"}),
    ("automation_rule_id=", {"automation_rule_id"}),
    ("automation_rule_id=rule", {"automation_rule_id"}),
    ("automation_rule_id=%7B5fba69ef-1d4c-4f0e-8d3b-6f2a9c7e4b10%7D", {"automation_rule_id"}),
    ("automation_rule_id=5fba69ef1d4c4f0e8d3b6f2a9c7e4b10", {"automation_rule_id"}),
    ("search=", {"search"}),
    ("search=" + "x" * 201, {"search"}),
    ("search=a%00b", {"search"}),
    ("search=a&search=b", {"search"}),
    ("limit=0", {"limit"}),
    ("limit=", {"limit"}),
    ("limit=1.0", {"limit"}),
    ("limt=1", {"limt"}),
    ("=1", {""}),
]
OF_LISTS = [
    ("status=", {"status"}),
    ("status=Failed", {"status"}),
    ("status=paused", {"status"}),
    ("status=failed,", {"status"}),
    ("status=,failed", {"status"}),
    ("status=failed,%20completed", {"status"}),
    ("status=failed,failed", {"status"}),
    ("status=failed&status=failed", {"status"}),
    ("Status=failed", {"Status"}),
    ("status%5B%5D=failed", {"status[]"}),
    (f"failure_group_id={GROUP}&status=completed", {"status"}),
    (f"failure_group_id={GROUP}&status=failed,completed", {"status"}),
    (f"failed_from={TIME}&status=completed", {"status"}),
    (f"failed_to={TIME}&status=timeout", {"status"}),
    ("failure_group_id=", {"failure_group_id"}),
    ("failure_group_id=fg_0123456789ABCDEF", {"failure_group_id"}),
    (f"failure_group_id={GROUP}0", {"failure_group_id"}),
    ("started_from=yesterday", {"started_from"}),
    (f"started_from=2026-11-28T08:00:00Z&started_to={TIME}", {"started_to"}),
    ("duration_min_ms=", {"duration_min_ms"}),
    ("duration_min_ms=-1", {"duration_min_ms"}),
    ("duration_min_ms=1e999", {"duration_min_ms"}),
    ("duration_min_ms=Infinity", {"duration_min_ms"}),
    ("duration_min_ms=nan", {"duration_min_ms"}),
    ("duration_min_ms=1_000", {"duration_min_ms"}),
    ("duration_max_ms=%D9%A1", {"duration_max_ms"}),
    ("duration_min_ms=2&duration_max_ms=1.5", {"duration_max_ms"}),
    ("has_errors=", {"has_errors"}),
    ("has_errors=True", {"has_errors"}),
    ("has_errors=1", {"has_errors"}),
    ("sort=", {"sort"}),
    ("sort=error_message", {"sort"}),
    ("sort=-started_at", {"sort"}),
    ("order=", {"order"}),
    ("order=DESC", {"order"}),
    ("fields=", {"fields"}),
    ("fields=status,status", {"fields"}),
    ("fields=_links", {"fields"}),
    ("fields=payload", {"fields"}),
    ("limit=101", {"limit"}),
    ("limit=101&fields=status,logs", {"limit"}),
    ("limit=1001&fields=status", {"limit"}),
    ("page=0", {"page"}),
    ("page=401", {"page"}),
    ("page=11&limit=1000&fields=status", {"page"}),
    ("page=10001&limit=1", {"page"}),
    ("cursor=", {"cursor"}),
    ("cursor=x", {"cursor"}),
    ("cursor=bnVsbA", {"cursor"}),
    ("cursor=" + "x" * 1001, {"cursor"}),
    ("retry_batch=1", {"retry_batch"}),
    ("limit=0&page=0&status=nonsense&serach=a", {"limit", "page", "status", "serach"}),
]
OF_GROUPS = [
    ("limit=101", {"limit"}),
    ("status=failed", {"status"}),
    ("page=1", {"page"}),
    ("failed_from=2001-01-01T00:00:00Z&failed_to=2026-01-01T00:00:00Z", {"failed_from"}),
]


@pytest.mark.parametrize(
    ("path", "query", "wrong"),
    [
        *((EXECUTIONS, *one) for one in [*OF_BOTH, *OF_LISTS]),
        *((GROUPS, *one) for one in [*OF_BOTH, *OF_GROUPS]),
    ],
)
async def test_what_is_wrong_is_refused_by_name(
    world: World, path: str, query: str, wrong: set[str]
) -> None:
    """Never answered as if it were not there."""
    await world.add(a_failed_execution(tenant=world.tenant))

    answer = await world.get(f"{path}?{query}", await world.key())

    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "VALIDATION_ERROR")
    assert {one["parameter"] for one in error["details"]} == wrong
    assert all(one["expected"] for one in error["details"])


@pytest.mark.parametrize("path", [EXECUTIONS, GROUPS])
async def test_a_plus_that_became_a_space_is_explained(world: World, path: str) -> None:
    """In a query `+` is a space; the zone needs `%2B`, or `Z`."""
    answer = await world.get(f"{path}?failed_from=2026-11-27T09:00:00+01:00", await world.key())

    [detail] = answer.json()["error"]["details"]
    assert "%2B" in detail["expected"]
    assert "Z" in detail["expected"]


async def test_a_cursor_goes_with_its_own_list_only(world: World) -> None:
    """Other filters, another order or another tenant: 400. Limit and fields may change."""
    for _ in range(3):
        await world.add(a_failed_execution(tenant=world.tenant))
    key, foreign = await world.key(), await world.key(tenant=uuid4())
    first = (await world.get(f"{EXECUTIONS}?limit=1&status=failed", key)).json()
    cursor = first["pagination"]["nextCursor"]

    async def with_cursor(query: str, key: str = key) -> Any:
        answer = await world.get(f"{EXECUTIONS}?cursor={cursor}{query}", key)
        details = answer.json().get("error", {}).get("details", [])
        return answer.status_code, [one["parameter"] for one in details]

    assert await with_cursor("&status=failed&limit=50&fields=status") == (200, [])
    assert await with_cursor("&status=failed&order=desc&sort=created_at") == (200, [])
    for other in ("", "&status=failed,timeout", "&status=failed&order=asc", "&search=SMTP"):
        assert await with_cursor(other) == (400, ["cursor"])
    assert await with_cursor("&status=failed&sort=failed_at") == (400, ["cursor"])
    assert await with_cursor("&status=failed&page=1") == (400, ["page"])
    assert await with_cursor("&status=failed", foreign) == (400, ["cursor"])


@pytest.mark.parametrize("path", [EXECUTIONS, GROUPS])
async def test_the_permission_is_asked_before_the_parameters(world: World, path: str) -> None:
    """401 and 403 come before 400; whoever may not read learns nothing about parameters."""
    outsider = await world.key(frozenset(), username="outsider")

    statuses = [
        (await world.get(f"{path}?limit=0", key)).status_code
        for key in (None, "no such key", outsider, await world.key())
    ]

    assert statuses == [401, 401, 403, 400]


@pytest.mark.parametrize("path", [EXECUTIONS, GROUPS, ME])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_reads_are_read_only(world: World, path: str, method: str) -> None:
    """405 for any other method."""
    answer = await world.client.request(method, path, headers={"x-api-key": await world.key()})

    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
