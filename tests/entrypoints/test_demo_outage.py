"""The demo's outage: what failed, and what a retry of it does."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import UUID

from automation_retry.adapters.memory import MemoryStore
from automation_retry.adapters.memory.execution_repository import MemoryExecutionRepository
from automation_retry.domain import (
    AUTOMATION_EXECUTE,
    Execution,
    ExecutionStatus,
    Principal,
    failure_pattern,
)
from automation_retry.entrypoints.demo.engine import DemoEngine
from automation_retry.entrypoints.demo.outage import outage, outage_id
from tests.support.factories import NOON

TENANT = UUID("0b0d6c0e-31d6-4e0a-9d0f-6a0f3a1f7c55")
OPERATOR = Principal(
    tenant=TENANT, user_id=UUID(int=1), permissions=frozenset({AUTOMATION_EXECUTE})
)
FAILED = list(outage(TENANT, NOON))
UNKNOWN_RECIPIENT = "SMTP <n> <n> <<email>>: User unknown"


def pattern(execution: Execution) -> str:
    return failure_pattern(execution.error_message)


def test_has_some_400_failures_of_three_rules_in_five_patterns_over_a_day() -> None:
    patterns = Counter(pattern(execution) for execution in FAILED)

    assert 390 <= len(FAILED) <= 410
    assert {execution.status for execution in FAILED} == {ExecutionStatus.FAILED}
    assert len({execution.automation_rule_id for execution in FAILED}) == 3
    assert len(patterns) == 5
    assert all(
        timedelta(0) <= NOON - execution.started_at <= timedelta(days=1)
        for execution in FAILED
        if execution.started_at
    )


def test_most_failed_within_two_hours() -> None:
    hours = Counter(
        (NOON - one.started_at) // timedelta(hours=1) for one in FAILED if one.started_at
    )
    worst = [hour for hour, _ in hours.most_common(2)]

    assert sorted(worst) == [7, 8]
    assert sum(hours[hour] for hour in worst) > 0.75 * len(FAILED)


def test_is_the_same_each_time() -> None:
    assert list(outage(TENANT, NOON)) == FAILED
    assert [one.execution_id for one in FAILED] == [
        outage_id(TENANT, number) for number in range(len(FAILED))
    ]


async def test_a_retry_succeeds_but_for_unknown_recipients() -> None:
    """One of each pattern."""
    store = MemoryStore()
    engine = DemoEngine(MemoryExecutionRepository(store), lambda: NOON)
    pending = {
        pattern(execution): execution.retry(at=NOON, by=OPERATOR).execution for execution in FAILED
    }
    store.add(list(pending.values()))

    await asyncio.gather(*[engine.execute(job_of(execution)) for execution in pending.values()])

    ended = {
        name: store.execution(TENANT, execution.execution_id) for name, execution in pending.items()
    }
    again = {name: one for name, one in ended.items() if one.status is ExecutionStatus.FAILED}
    completed = [one for one in ended.values() if one.status is ExecutionStatus.COMPLETED]
    assert [pattern(one) for one in again.values()] == [*again] == [UNKNOWN_RECIPIENT]
    assert len(completed) == 4


def job_of(execution: Execution) -> dict[str, Any]:
    return {
        "tenant": str(execution.tenant),
        "execution_id": str(execution.execution_id),
        "attempt": execution.retry_count,
    }
