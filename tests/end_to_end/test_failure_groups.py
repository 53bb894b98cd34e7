"""`GET /failure-groups` as OPERATORS.md has it, over HTTP, the same on every storage."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from attrs import evolve, frozen

from automation_retry.domain import (
    AUTOMATION_READ,
    Execution,
    ExecutionStatus,
    failure_group_id,
    failure_pattern,
)
from tests.support.factories import NOON, a_failed_execution
from tests.support.world import EXECUTIONS, World

GROUPS = "/api/v1/automation/failure-groups"
RULES = "/api/v1/automation/rules"
MAIL, CRM, UNUSED = UUID(int=1), UUID(int=2), UUID(int=3)
HOUR = timedelta(hours=1)
DAY = "failed_from=2026-11-23T00:00:00Z&failed_to=2026-11-24T00:00:00Z"


async def grouped(world: World, key: str, query: str = DAY) -> Any:
    answer = await world.get(f"{GROUPS}?{query}", key)
    assert answer.status_code == 200, answer.text
    return answer.json()


def a_failure(world: World, rule: UUID, message: str | None, **changes: Any) -> Execution:
    return a_failed_execution(
        **{
            "tenant": world.tenant,
            "automation_rule_id": rule,
            "error_message": message,
            "completed_at": NOON,
            **changes,
        }
    )


@frozen
class Outage:
    """Five failures in three groups, and what belongs to none of them."""

    world: World
    key: str
    latest: Execution
    """Of the largest group."""


@pytest.fixture
async def outage(world: World) -> Outage:
    latest = a_failure(world, MAIL, "SMTP 454 for 99 mails", completed_at=NOON + 2 * HOUR)
    failures = [
        latest,
        a_failure(world, MAIL, "SMTP 454 for 7 mails", actions_successful=0),
        a_failure(world, MAIL, "SMTP 454 for 8 mails", completed_at=NOON + HOUR),
        a_failure(world, CRM, "SMTP 454 for 9 mails", completed_at=NOON + HOUR),
        a_failure(world, CRM, None, completed_at=None, actions_successful=0),
        a_failure(world, CRM, "SMTP 454 for 9 mails", status=ExecutionStatus.TIMEOUT),
        a_failure(world, CRM, "SMTP 454 for 9 mails", started_at=None, completed_at=None),
        a_failure(world, CRM, "long ago", completed_at=NOON - 200 * HOUR),
        evolve(latest, tenant=uuid4()),
    ]
    await world.storage.executions.add(failures)
    return Outage(world, await world.key(), latest)


async def test_failures_are_grouped_by_rule_and_pattern(outage: Outage) -> None:
    """The largest first, then the latest; only what is failed now, in this tenant and time."""
    answer = await grouped(outage.world, outage.key)

    found = [(one["automation_rule_id"], one["pattern"], one["count"]) for one in answer["data"]]
    assert found == [
        (str(MAIL), "SMTP <n> for <n> mails", 3),
        (str(CRM), "SMTP <n> for <n> mails", 1),
        (str(CRM), "<none>", 1),
    ]
    assert answer["summary"] == {"groups": 3, "executions": 5, "other_executions": 0}


async def test_a_group_tells_what_it_is(outage: Outage) -> None:
    """Field by field."""
    message = "SMTP 454 for 99 mails"

    [group, *_] = (await grouped(outage.world, outage.key))["data"]

    links = group.pop("_links")
    timeline = group.pop("timeline")
    assert group == {
        "failure_group_id": failure_group_id(MAIL, message),
        "automation_rule_id": str(MAIL),
        "pattern": failure_pattern(message),
        "count": 3,
        "first_failed_at": "2026-11-23T12:00:00.123456Z",
        "last_failed_at": "2026-11-23T14:00:00.123456Z",
        "before_first_action": 1,
        "example": {"execution_id": str(outage.latest.execution_id), "error_message": message},
    }
    assert links.keys() == {"executions", "rule"}
    assert links["rule"] == f"{RULES}/{MAIL}"
    assert sum(timeline) == 3


async def test_the_timeline_counts_failures_in_equal_spans(outage: Outage) -> None:
    """15 minutes are the finest that divide a day into at most 120."""
    answer = await grouped(outage.world, outage.key)

    timeline = answer["timeline"]
    failed = timeline.pop("failed")
    assert timeline == {
        "from": "2026-11-23T00:00:00.000000Z",
        "to": "2026-11-24T00:00:00.000000Z",
        "bucket_seconds": 900,
    }
    assert len(failed) == 96
    assert {at: n for at, n in enumerate(failed) if n} == {48: 2, 52: 2, 56: 1}
    of_groups = [one["timeline"] for one in answer["data"]]
    assert [sum(counts) for counts in zip(*of_groups, strict=True)] == failed


async def test_the_timeline_ends_where_spans_end(world: World) -> None:
    """Aligned to multiples since 1970, around the time that was asked for."""
    query = "failed_from=2026-11-23T12:07:08Z&failed_to=2026-11-23T15:00:01Z"

    answer = await grouped(world, await world.key(), query)

    assert answer["timeline"] == {
        "from": "2026-11-23T12:05:00.000000Z",
        "to": "2026-11-23T15:05:00.000000Z",
        "bucket_seconds": 300,
        "failed": [0] * 36,
    }
    assert answer["data"] == []
    assert answer["summary"] == {"groups": 0, "executions": 0, "other_executions": 0}


@pytest.mark.parametrize(
    "query",
    [
        DAY,
        f"{DAY}&search=smtp",
        f"{DAY}&search=99",
        f"{DAY}&automation_rule_id={MAIL}",
        "failed_from=2026-11-23T12:30:00Z&failed_to=2026-11-24T00:00:00Z",
        "failed_from=2026-11-23T00:00:00Z&failed_to=2026-11-23T13:30:00Z",
    ],
)
async def test_a_groups_link_lists_its_executions(outage: Outage, query: str) -> None:
    """With the same filters, so that the total is the count."""
    answer = await grouped(outage.world, outage.key, query)

    assert answer["data"]
    for group in answer["data"]:
        listed = await outage.world.get(group["_links"]["executions"], outage.key)
        assert listed.json()["pagination"]["total"] == group["count"]
        assert {one["automation_rule_id"] for one in listed.json()["data"]} == {
            group["automation_rule_id"]
        }


async def test_a_link_keeps_a_search_that_urls_would_misread(world: World) -> None:
    """Escaped as a query needs it."""
    message = "50% +1 & a=b #c / ü?"
    await world.add(a_failure(world, MAIL, f"is {message}!"))
    key = await world.key()
    query = f"{DAY}&search=50%25%20%2B1%20%26%20a%3Db%20%23c%20/%20%C3%BC%3F"

    [group] = (await grouped(world, key, query))["data"]
    listed = (await world.get(group["_links"]["executions"], key)).json()

    assert listed["meta"]["filters"]["search"] == message
    assert listed["pagination"]["total"] == 1


@pytest.mark.parametrize(
    ("query", "counts"),
    [
        ("search=SMTP", [3, 1]),
        ("search=99", [1]),
        ("search=nothing", []),
        (f"automation_rule_id={CRM}", [1, 1]),
        (f"automation_rule_id={UNUSED}", []),
        ("limit=1", [3]),
    ],
)
async def test_groups_can_be_narrowed(outage: Outage, query: str, counts: list[int]) -> None:
    """The summary counts what the filters left."""
    answer = await grouped(outage.world, outage.key, f"{DAY}&{query}")

    assert [one["count"] for one in answer["data"]] == counts


async def test_what_is_past_the_limit_is_counted(outage: Outage) -> None:
    """So that nobody takes the shown groups for all."""
    answer = await grouped(outage.world, outage.key, f"{DAY}&limit=1")

    assert answer["summary"] == {"groups": 3, "executions": 5, "other_executions": 2}
    assert sum(answer["timeline"]["failed"]) == 5


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("failed_from=2026-11-23T14:00:00.123456Z&failed_to=2026-11-24T00:00:00Z", 1),
        ("failed_from=2026-11-23T14:00:00.123457Z&failed_to=2026-11-24T00:00:00Z", 0),
        ("failed_from=2026-11-23T00:00:00Z&failed_to=2026-11-23T12:00:00.123456Z", 0),
        ("failed_from=2026-11-23T00:00:00Z&failed_to=2026-11-23T12:00:00.123457Z", 2),
        ("failed_to=2026-11-24T00:00:00Z", 5),
    ],
)
async def test_the_time_is_from_inclusive_to_exclusive(
    outage: Outage, query: str, count: int
) -> None:
    """By default from 7 days before its end."""
    answer = await grouped(outage.world, outage.key, query)

    assert answer["summary"]["executions"] == count


async def test_the_filters_are_shown_as_they_were_understood(outage: Outage) -> None:
    """Defaults and the status included."""
    answer = await grouped(
        outage.world, outage.key, "failed_to=2026-11-24T01:00:00%2B01:00&search=SMTP"
    )

    assert answer["meta"] == {
        "filters": {
            "status": "failed",
            "failed_from": "2026-11-17T00:00:00.000000Z",
            "failed_to": "2026-11-24T00:00:00.000000Z",
            "search": "SMTP",
        },
        "resource": "failure_group",
    }


async def test_by_default_the_last_week_is_grouped(world: World) -> None:
    """Up to now."""
    answer = await world.get(GROUPS, await world.key())

    filters = answer.json()["meta"]["filters"]
    assert answer.json()["timeline"]["bucket_seconds"] == 3 * 3600
    assert filters.keys() == {"status", "failed_from", "failed_to"}


async def test_a_retried_failure_leaves_its_group(outage: Outage) -> None:
    """It is pending now."""
    await outage.world.retry(outage.latest.execution_id, outage.key)

    [group, *_] = (await grouped(outage.world, outage.key))["data"]

    assert (group["count"], group["example"]["error_message"]) == (2, "SMTP 454 for 8 mails")


async def test_reading_is_enough(outage: Outage) -> None:
    """Groups change nothing."""
    reader = await outage.world.key(frozenset({AUTOMATION_READ}), username="reader")

    assert await grouped(outage.world, reader) == await grouped(outage.world, outage.key)


async def test_an_example_is_cut_to_1000_characters(world: World) -> None:
    """Characters, not bytes."""
    await world.add(a_failure(world, MAIL, "ü" * 1001))

    [group] = (await grouped(world, await world.key()))["data"]

    assert group["example"]["error_message"] == "ü" * 1000
    assert EXECUTIONS in group["_links"]["executions"]
