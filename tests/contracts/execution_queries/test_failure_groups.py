"""What failed, in groups of one rule and one pattern."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from automation_retry.application import ExecutionFilter, Sorting, Timeline
from automation_retry.application.ports import FailureGroup, FailureGroups, Window
from automation_retry.domain import (
    NO_MESSAGE,
    Execution,
    ExecutionStatus,
    failure_group_id,
    failure_pattern,
)
from tests.contracts.execution_queries import reference
from tests.contracts.execution_queries.rows import (
    RULES,
    failed_at,
    failed_lists,
    messages,
    row_lists,
    stored,
    times,
)
from tests.contracts.storage import StorageUnderTest
from tests.support.factories import NOON, a_failed_execution

DAY = timedelta(days=1)


def failures(**conditions: Any) -> ExecutionFilter:
    """What failed from two days before noon to two days after."""
    return ExecutionFilter(
        **{"failed_from": NOON - 2 * DAY, "failed_to": NOON + 2 * DAY, **conditions}
    )


def timeline_of(wanted: ExecutionFilter) -> Timeline:
    assert wanted.failed_from
    assert wanted.failed_to
    return Timeline.of(wanted.failed_from, wanted.failed_to)


async def grouped(
    storage: StorageUnderTest, tenant: UUID, wanted: ExecutionFilter, limit: int = 100
) -> FailureGroups:
    return await storage.queries.failure_groups(tenant, wanted, timeline_of(wanted), limit)


def counts(found: Sequence[Execution], timeline: Timeline) -> Sequence[int]:
    """How many failed in each bucket, by looking at all of them for each."""
    starts = [timeline.starts_at + number * timeline.bucket for number in range(timeline.buckets)]
    return [
        sum(start <= moment(row) < start + timeline.bucket for row in found) for start in starts
    ]


def moment(row: Execution) -> datetime:
    at = failed_at(row)
    assert at
    return at


def expected_group(found: Sequence[Execution], timeline: Timeline) -> FailureGroup:
    latest = max(found, key=lambda row: (moment(row), row.execution_id.bytes))
    message = latest.error_message
    return FailureGroup(
        failure_group_id=failure_group_id(latest.automation_rule_id, message),
        automation_rule_id=latest.automation_rule_id,
        pattern=failure_pattern(message),
        count=len(found),
        first_failed_at=min(moment(row) for row in found),
        last_failed_at=moment(latest),
        before_first_action=len([row for row in found if not row.actions_successful]),
        example_id=latest.execution_id,
        example_message=message,
        timeline=counts(found, timeline),
    )


conditions = st.fixed_dictionaries(
    {},
    optional={
        "automation_rule_id": st.sampled_from(RULES),
        "search": messages.filter(bool),
        "failed_from": times.filter(lambda time: time < NOON),
        "failed_to": times.filter(lambda time: time > NOON),
    },
)


@given(rows=row_lists | failed_lists, wanted=conditions, limit=st.integers(1, 8))
@settings(max_examples=200, deadline=None)
async def test_groups_are_those_of_plain_python(
    storage: StorageUnderTest, rows: Sequence[Execution], wanted: dict[str, Any], limit: int
) -> None:
    """The largest come first, then the latest, then by id; numbers are about all of them."""
    tenant, own = await stored(storage, rows)
    selected = failures(**wanted)
    timeline = timeline_of(selected)
    members = defaultdict(list)
    matching = reference.matching(own, selected)
    for row in matching:
        members[row.automation_rule_id, failure_pattern(row.error_message)].append(row)
    groups = [expected_group(found, timeline) for found in members.values()]
    groups.sort(key=lambda one: one.failure_group_id)
    groups.sort(key=lambda one: (one.count, one.last_failed_at), reverse=True)

    assert await grouped(storage, tenant, selected, limit) == FailureGroups(
        items=groups[:limit],
        groups=len(groups),
        executions=len(matching),
        timeline=counts(matching, timeline),
    )


@given(rows=failed_lists, wanted=conditions)
@settings(max_examples=100, deadline=None)
async def test_a_groups_count_is_the_total_of_its_list(
    storage: StorageUnderTest, rows: Sequence[Execution], wanted: dict[str, Any]
) -> None:
    """And of its timeline; all counts together are the number of executions."""
    tenant, _ = await stored(storage, rows)
    selected = failures(**wanted)
    found = await grouped(storage, tenant, selected)
    buckets = Counter[int]()
    for group in found.items:
        listed = await storage.queries.executions(
            tenant,
            evolve(selected, failure_group_id=group.failure_group_id),
            Sorting(),
            Window(limit=1),
            (),
        )
        buckets.update(dict(enumerate(group.timeline)))

        assert listed.total == group.count == sum(group.timeline)
    assert found.executions == sum(group.count for group in found.items) == sum(found.timeline)
    assert found.groups == len(found.items)
    assert [buckets[number] for number in range(len(found.timeline))] == list(found.timeline)


async def test_there_are_no_groups_where_nothing_failed(storage: StorageUnderTest) -> None:
    """The timeline has its buckets all the same."""
    found = await grouped(storage, uuid4(), failures())

    assert found == FailureGroups(items=[], groups=0, executions=0, timeline=[0] * 97)


async def test_only_what_is_failed_now_is_in_a_group(storage: StorageUnderTest) -> None:
    """An execution leaves its group with its retry."""
    row = a_failed_execution()
    rows = [evolve(row, execution_id=uuid4(), status=status) for status in ExecutionStatus]
    tenant, _ = await stored(storage, rows)

    assert (await grouped(storage, tenant, failures())).executions == 1


async def test_failures_without_a_message_are_a_group(storage: StorageUnderTest) -> None:
    """Whether the message is missing, empty or blank."""
    rule = uuid4()
    rows = [
        a_failed_execution(automation_rule_id=rule, error_message=text)
        for text in (None, "", " \r\n\t")
    ]
    tenant, _ = await stored(storage, rows)
    found = await grouped(storage, tenant, failures())

    assert [(one.pattern, one.count) for one in found.items] == [(NO_MESSAGE, 3)]


async def test_of_equally_late_failures_the_largest_id_is_the_example(
    storage: StorageUnderTest,
) -> None:
    """With its own message, not that of another failure of the group."""
    rule = uuid4()
    rows = [
        a_failed_execution(
            automation_rule_id=rule,
            execution_id=UUID(int=number << 124),
            error_message=f"no answer after {number} ms",
        )
        for number in (3, 12, 9)
    ]
    tenant, _ = await stored(storage, rows)
    [group] = (await grouped(storage, tenant, failures())).items

    assert group.example_id == UUID(int=12 << 124)
    assert group.example_message == "no answer after 12 ms"
    assert group.pattern == "no answer after <n> ms"


async def test_an_examples_message_is_cut_to_a_thousand_characters(
    storage: StorageUnderTest,
) -> None:
    """Characters, not bytes."""
    message = 300 * "a\u00e9\u4f60\U0001f600"
    tenant, _ = await stored(storage, [a_failed_execution(error_message=message)])
    [group] = (await grouped(storage, tenant, failures())).items

    assert group.example_message == message[:1000]


async def test_the_timeline_has_buckets_of_every_size(storage: StorageUnderTest) -> None:
    """A failure at the start of a bucket is in it, one at its end in the next."""
    for length in (timedelta(minutes=10), DAY, 119 * DAY, 3000 * DAY):
        wanted = failures(failed_from=NOON - length, failed_to=NOON)
        timeline = timeline_of(wanted)
        second = timeline.starts_at + timeline.bucket
        rows = [
            a_failed_execution(completed_at=at)
            for at in (second - timedelta(microseconds=1), second, NOON - timedelta(seconds=1))
        ]
        tenant, own = await stored(storage, rows)
        found = await grouped(storage, tenant, wanted)
        matching = reference.matching(own, wanted)

        assert list(found.timeline) == counts(matching, timeline)
        assert sum(found.timeline) == len(matching)


@pytest.mark.parametrize("year", [200, 5000, 9000])
async def test_the_last_microsecond_is_in_the_last_bucket(
    storage: StorageUnderTest, year: int
) -> None:
    """In whatever year."""
    end = NOON.replace(year=year, minute=0, second=0, microsecond=0)
    wanted = failures(failed_from=end - timedelta(minutes=10), failed_to=end)
    tenant, _ = await stored(
        storage, [a_failed_execution(completed_at=end - timedelta(microseconds=1))]
    )
    found = await grouped(storage, tenant, wanted)

    assert list(found.timeline) == [*[0] * 9, 1]
