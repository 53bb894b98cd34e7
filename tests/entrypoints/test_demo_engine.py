"""The demo's engine, on executions in memory."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from attrs import evolve

from automation_retry.adapters.memory import MemoryStore
from automation_retry.adapters.memory.execution_repository import MemoryExecutionRepository
from automation_retry.domain import Execution, ExecutionStatus
from automation_retry.entrypoints.clock import utc_now
from automation_retry.entrypoints.demo.engine import DemoEngine
from tests.support.factories import an_execution


def job_of(execution: Execution) -> dict[str, Any]:
    return {
        "tenant": str(execution.tenant),
        "execution_id": str(execution.execution_id),
        "attempt": execution.retry_count,
    }


async def execute(store: MemoryStore, job: dict[str, Any]) -> None:
    await DemoEngine(MemoryExecutionRepository(store), utc_now).execute(job)


@pytest.mark.parametrize("status", [ExecutionStatus.PENDING, ExecutionStatus.RUNNING])
async def test_runs_what_is_pending_and_what_a_dead_engine_began(status: ExecutionStatus) -> None:
    """It reports how the run ended, in the same attempt."""
    store = MemoryStore()
    execution = an_execution(status=status, retry_count=2, started_at=utc_now())
    store.add([execution])

    await execute(store, job_of(execution))

    ended = store.execution(execution.tenant, execution.execution_id)
    assert ended.status in {ExecutionStatus.COMPLETED, ExecutionStatus.FAILED}
    assert ended.retry_count == 2
    assert ended.completed_at is not None
    assert ended.actions_successful + ended.actions_failed == ended.actions_total
    assert (ended.error_message is None) == (ended.status is ExecutionStatus.COMPLETED)


async def test_a_duration_is_not_negative_when_the_clock_is_set_back() -> None:
    store = MemoryStore()
    execution = an_execution(started_at=utc_now() + timedelta(hours=1))
    store.add([execution])

    await execute(store, job_of(execution))

    ended = store.execution(execution.tenant, execution.execution_id)
    assert ended.duration_ms == 0


async def test_drops_jobs_of_other_attempts_and_states() -> None:
    """What was retried again, has ended, or does not exist stays as it is."""
    store = MemoryStore()
    retried = an_execution(retry_count=2)
    cancelled = an_execution(status=ExecutionStatus.CANCELLED)
    store.add([retried, cancelled])

    await execute(store, {**job_of(retried), "attempt": 1})
    await execute(store, job_of(cancelled))
    await execute(store, job_of(evolve(retried, execution_id=uuid4())))

    for execution in (retried, cancelled):
        assert store.execution(execution.tenant, execution.execution_id) == execution
