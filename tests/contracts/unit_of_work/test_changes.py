"""Executions that others change between read and commit."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from attrs import evolve

from automation_retry.application import AttemptArchived
from automation_retry.application.ports import CommitOutcome
from automation_retry.domain import Execution, ExecutionStatus, LogEntry, LogLevel
from tests.contracts.storage import StorageUnderTest
from tests.contracts.stored import Stored, stored
from tests.contracts.unit_of_work.conftest import committed
from tests.support.factories import NOON, a_failed_execution, a_retry_write


@pytest.mark.parametrize(
    "change",
    [
        {"status": ExecutionStatus.COMPLETED},
        {"status": ExecutionStatus.RUNNING},
        {"retry_count": 1},
        {"automation_rule_id": UUID(int=7)},
    ],
    ids=str,
)
async def test_an_execution_that_changed_since_it_was_read_is_lost(
    storage: StorageUnderTest, failed: Execution, change: dict[str, Any]
) -> None:
    """Its id is returned, and neither it nor its attempt, job or event is written."""
    changed = evolve(failed, **change)
    await storage.neighbours.overwrite(changed)

    assert await committed(storage, [a_retry_write(failed)]) == {failed.execution_id}
    assert await stored(storage, failed) == Stored(changed)


@pytest.mark.parametrize(
    "change",
    [
        {"started_at": NOON + timedelta(microseconds=1)},
        {"completed_at": NOON + timedelta(days=1)},
        {"completed_at": None},
        {"duration_ms": 2750.25},
        {"duration_ms": None},
        {"actions_successful": 1},
        {"actions_failed": 2},
        {"error_message": "disk full"},
        {"error_message": None},
        {"error_stack": "elsewhere"},
        {"error_stack": None},
        {"failed_action_index": 0},
        {"failed_action_index": None},
    ],
    ids=str,
)
async def test_what_is_archived_is_what_is_cleared(
    storage: StorageUnderTest, failed: Execution, change: dict[str, Any]
) -> None:
    """A value that an engine wrote since the execution was read is not lost."""
    write = a_retry_write(failed)
    await storage.neighbours.overwrite(evolve(failed, **change))

    assert await committed(storage, [write]) == frozenset()
    after = await stored(storage, failed)
    assert after.execution == write.retry.execution
    assert after.failed_attempts == (evolve(write.retry.failed_attempt, **change),)


@pytest.mark.parametrize(
    "change",
    [
        {"logs": [LogEntry(level=LogLevel.WARN, message="cleaned up", timestamp=NOON)]},
        {"trigger_data": {"other": 1}},
        {"execution_context": None},
        {"actions_total": 7},
    ],
    ids=str,
)
@pytest.mark.parametrize("reading", [True, False], ids=["as read", "never read"])
async def test_what_a_retry_keeps_may_change_meanwhile(
    storage: StorageUnderTest, failed: Execution, reading: bool, change: dict[str, Any]
) -> None:
    """It neither stops the retry nor is lost, and the outcome has it as it is stored."""
    read = await storage.executions.get(failed.tenant, failed.execution_id)
    write = a_retry_write(read if reading else failed)
    await storage.neighbours.overwrite(evolve(failed, **change))

    async with storage.new_unit_of_work() as work:
        write.stage(work)
        outcome = await work.commit()

    after = await stored(storage, failed)
    assert after.execution == evolve(write.retry.execution, **change)
    assert outcome == CommitOutcome(committed={failed.execution_id: after.execution})
    assert after.failed_attempts == (write.retry.failed_attempt,)


async def test_the_outcome_is_what_was_recorded(
    storage: StorageUnderTest, failed: Execution
) -> None:
    """If nobody interferes, it is the very execution that was decided on."""
    read = await storage.executions.get(failed.tenant, failed.execution_id)
    write = a_retry_write(read)

    async with storage.new_unit_of_work() as work:
        write.stage(work)
        outcome = await work.commit()

    assert outcome.committed[failed.execution_id] is write.retry.execution
    assert (await stored(storage, failed)).execution == write.retry.execution


async def test_of_concurrent_commits_exactly_one_wins(
    storage: StorageUnderTest, failed: Execution
) -> None:
    """Fifty units of work hold the same failed execution; one attempt, job and event are left."""
    writes = [a_retry_write(failed) for _ in range(50)]
    outcomes = await asyncio.gather(*(committed(storage, [write]) for write in writes))
    winners = [write for write, lost in zip(writes, outcomes, strict=True) if not lost]

    assert len(winners) == 1
    assert await stored(storage, failed) == Stored.after(winners[0])


async def test_two_attempts_of_one_execution_are_both_archived(
    storage: StorageUnderTest, failed: Execution
) -> None:
    """The second retry adds to the archive of the first."""
    first = a_retry_write(failed)
    await committed(storage, [first])
    failed_again = evolve(failed, retry_count=1, error_message="disk full")
    await storage.executions.report(failed_again)
    second = a_retry_write(failed_again)

    assert await committed(storage, [second]) == frozenset()
    after = await stored(storage, failed)
    assert after.execution == second.retry.execution
    assert after.failed_attempts == (first.retry.failed_attempt, second.retry.failed_attempt)


async def test_an_attempt_is_never_archived_twice(
    storage: StorageUnderTest, failed: Execution
) -> None:
    """Where somebody set `retry_count` back, the commit fails and writes nothing at all."""
    first = a_retry_write(failed)
    await committed(storage, [first])
    await storage.neighbours.overwrite(failed)
    bystander = a_failed_execution()
    await storage.executions.add([bystander])

    with pytest.raises(AttemptArchived):
        await committed(storage, [a_retry_write(bystander), a_retry_write(failed)])
    assert await stored(storage, bystander) == Stored(bystander)
    assert await stored(storage, failed) == Stored(
        failed, (first.retry.failed_attempt,), (first.job,), (first.event,)
    )
    assert await storage.executions.last_attempt(failed.tenant, failed.execution_id) == 1


async def test_a_late_result_of_an_old_attempt_changes_nothing(
    storage: StorageUnderTest, failed: Execution
) -> None:
    """The fence that engines write behind holds against everything from before the retry."""
    write = a_retry_write(failed)
    await committed(storage, [write])

    assert not await storage.executions.report(evolve(failed, error_message="too late"))
    assert await stored(storage, failed) == Stored.after(write)


async def test_a_result_of_the_new_attempt_is_stored(
    storage: StorageUnderTest, failed: Execution
) -> None:
    """The fence lets the run that the retry asked for report its result."""
    await committed(storage, [a_retry_write(failed)])
    completed = evolve(
        failed,
        status=ExecutionStatus.COMPLETED,
        retry_count=1,
        actions_successful=4,
        actions_failed=0,
    )

    assert await storage.executions.report(completed)
    assert (await stored(storage, failed)).execution == completed


async def test_an_execution_is_retried_once_in_a_unit_of_work(
    storage: StorageUnderTest, failed: Execution
) -> None:
    """A second retry of it would have the same number; nothing is written."""
    with pytest.raises(AttemptArchived):
        await committed(storage, [a_retry_write(failed), a_retry_write(failed)])
    assert await stored(storage, failed) == Stored(failed)
