"""The rules of an overview of failures: who may read it, and which time it covers."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from automation_retry.adapters.granted_permissions import GrantedPermissions
from automation_retry.adapters.memory import MemoryStore
from automation_retry.adapters.memory.execution_queries import MemoryExecutionQueries
from automation_retry.application import (
    ExecutionFilter,
    InvalidParameters,
    ListFailureGroups,
    Timeline,
)
from automation_retry.domain import AUTOMATION_EXECUTE, AUTOMATION_READ, PermissionDenied, Principal
from tests.support.factories import NOON, a_failed_execution, a_principal

WEEK = timedelta(days=7)
MOMENT = timedelta(microseconds=1)


@pytest.fixture
def list_failure_groups(store: MemoryStore) -> ListFailureGroups:
    """At noon."""
    return ListFailureGroups(GrantedPermissions(), MemoryExecutionQueries(store), lambda: NOON)


async def refused(
    list_failure_groups: ListFailureGroups, principal: Principal, **asked: Any
) -> Mapping[str, str]:
    """What was expected instead, by parameter."""
    with pytest.raises(InvalidParameters) as raised:
        await list_failure_groups(principal, **asked)
    return raised.value.expected


async def test_asks_for_permission_first(list_failure_groups: ListFailureGroups) -> None:
    """Those who may only execute learn nothing, not even that their limit is wrong."""
    with pytest.raises(PermissionDenied) as denied:
        await list_failure_groups(a_principal(permissions=frozenset({AUTOMATION_EXECUTE})), limit=0)
    assert denied.value.permission == AUTOMATION_READ


async def test_the_last_seven_days_are_the_default(
    store: MemoryStore, list_failure_groups: ListFailureGroups, principal: Principal
) -> None:
    """From inclusive, to exclusive, and the times are told."""
    times = (NOON - WEEK - MOMENT, NOON - WEEK, NOON - MOMENT, NOON)
    store.add([a_failed_execution(tenant=principal.tenant, completed_at=one) for one in times])
    overview = await list_failure_groups(principal)

    assert overview.wanted == ExecutionFilter(failed_from=NOON - WEEK, failed_to=NOON)
    assert overview.timeline == Timeline.of(NOON - WEEK, NOON)
    assert overview.groups.executions == 2
    assert {group.first_failed_at for group in overview.groups.items} == set(times[1:3])


async def test_seven_days_before_another_end_are_the_default_as_well(
    list_failure_groups: ListFailureGroups, principal: Principal
) -> None:
    """The clock does not matter then."""
    end = NOON - timedelta(days=400)
    overview = await list_failure_groups(principal, failed_to=end)

    assert (overview.wanted.failed_from, overview.wanted.failed_to) == (end - WEEK, end)


async def test_a_beginning_alone_reaches_until_now(
    list_failure_groups: ListFailureGroups, principal: Principal
) -> None:
    """Which must not come before it."""
    start = NOON - timedelta(hours=1)
    overview = await list_failure_groups(principal, failed_from=start)

    assert (overview.wanted.failed_from, overview.wanted.failed_to) == (start, NOON)
    assert await refused(list_failure_groups, principal, failed_from=NOON + MOMENT) == {
        "failed_to": "not less than failed_from"
    }


async def test_failures_are_selected_by_rule_and_text(
    store: MemoryStore, list_failure_groups: ListFailureGroups, principal: Principal
) -> None:
    """The overview says by which."""
    rule = uuid4()
    at = {"tenant": principal.tenant, "completed_at": NOON - MOMENT}
    store.add(
        [
            a_failed_execution(**at, automation_rule_id=rule, error_message="SMTP: no answer"),
            a_failed_execution(**at, automation_rule_id=rule, error_message="disk full"),
            a_failed_execution(**at, error_message="smtp: no answer"),
        ]
    )
    overview = await list_failure_groups(principal, automation_rule_id=rule, search="smtp")

    assert [group.pattern for group in overview.groups.items] == ["SMTP: no answer"]
    assert (overview.wanted.automation_rule_id, overview.wanted.search) == (rule, "smtp")


async def test_only_the_largest_groups_are_listed(
    store: MemoryStore, list_failure_groups: ListFailureGroups, principal: Principal
) -> None:
    """Fifty by default; the numbers are about the others too, and about no other tenant's."""
    failed = [
        a_failed_execution(tenant=principal.tenant, completed_at=NOON - MOMENT) for _ in range(51)
    ]
    store.add([*failed, a_failed_execution(completed_at=NOON - MOMENT)])
    default = await list_failure_groups(principal)
    two = await list_failure_groups(principal, limit=2)

    assert (len(default.groups.items), len(two.groups.items)) == (50, 2)
    for overview in (default, two):
        assert (overview.groups.groups, overview.groups.executions) == (51, 51)
        assert sum(overview.groups.timeline) == 51


async def test_a_hundred_groups_are_the_most(
    list_failure_groups: ListFailureGroups, principal: Principal
) -> None:
    """And one the least."""
    assert (await list_failure_groups(principal, limit=100)).groups.groups == 0
    for limit in (0, -1, 101):
        assert await refused(list_failure_groups, principal, limit=limit) == {
            "limit": "one whole number from 1 to 100"
        }


async def test_more_than_ten_years_are_too_long(
    list_failure_groups: ListFailureGroups, principal: Principal
) -> None:
    """The error says which time is not."""
    most = timedelta(days=3570)

    overview = await list_failure_groups(principal, failed_from=NOON - most)

    assert overview.timeline.bucket == timedelta(days=30)
    assert await refused(list_failure_groups, principal, failed_from=NOON - 2 * most) == {
        "failed_from": "at most 3570 days before failed_to"
    }


@pytest.mark.parametrize(
    "asked",
    [
        {"failed_from": datetime.min.replace(tzinfo=UTC)},
        {"failed_to": datetime.min.replace(tzinfo=UTC)},
        {"failed_to": datetime.max.replace(tzinfo=UTC)},
        {
            "failed_from": datetime.min.replace(tzinfo=UTC),
            "failed_to": datetime.max.replace(tzinfo=UTC),
        },
    ],
)
async def test_the_ends_of_time_are_refused(
    list_failure_groups: ListFailureGroups, principal: Principal, asked: dict[str, datetime]
) -> None:
    """Each by the parameter that was given."""
    assert asked.keys() <= (await refused(list_failure_groups, principal, **asked)).keys()


@pytest.mark.parametrize("search", ["", "\0", 201 * "x"])
async def test_a_text_that_cannot_be_sought_is_refused(
    list_failure_groups: ListFailureGroups, principal: Principal, search: str
) -> None:
    """As in a list of executions."""
    assert list(await refused(list_failure_groups, principal, search=search)) == ["search"]
