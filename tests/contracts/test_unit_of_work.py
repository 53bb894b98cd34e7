import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from attrs import evolve

from automation_retry.domain import Execution, ExecutionStatus, LogEntry, LogLevel
from tests.contracts.storage import StorageUnderTest
from tests.contracts.stored import Stored, stored
from tests.support.factories import NOON, RetryWrite, a_failed_execution, a_principal, a_retry_write


class Interrupted(Exception):
    """An error that no port raises."""


@pytest.fixture
async def failed(empty_outbox: StorageUnderTest) -> Execution:
    """A stored execution that failed, and an outbox that has nothing else in it."""
    execution = a_failed_execution()
    await empty_outbox.executions.add([execution])
    return execution


async def committed(storage: StorageUnderTest, writes: Sequence[RetryWrite]) -> frozenset[UUID]:
    """Commits all writes in one unit of work; the ids that lost."""
    async with storage.new_unit_of_work() as work:
        for write in writes:
            write.stage(work)
        return await work.commit()


async def test_a_commit_writes_all_that_was_staged(
    storage: StorageUnderTest, failed: Execution
) -> None:
    """Execution, attempt, job and event are there with every value that they were staged with."""
    write = a_retry_write(failed)

    assert await committed(storage, [write]) == frozenset()
    assert await stored(storage, failed) == Stored.after(write)


async def test_missing_values_stay_missing(storage: StorageUnderTest, failed: Execution) -> None:
    """A failure may lack its details, and an in-process caller has no key and no request."""
    bare = evolve(
        failed,
        completed_at=None,
        duration_ms=None,
        error_message=None,
        error_stack=None,
        failed_action_index=None,
    )
    await storage.executions.report(bare)
    caller = a_principal(tenant=failed.tenant, api_key_id=None)
    write = a_retry_write(bare, by=caller, request_id=None)

    assert await committed(storage, [write]) == frozenset()
    assert await stored(storage, failed) == Stored.after(write)


async def test_nothing_is_written_without_a_commit(
    storage: StorageUnderTest, failed: Execution
) -> None:
    """Leaving the unit of work drops what was staged."""
    async with storage.new_unit_of_work() as work:
        a_retry_write(failed).stage(work)

    assert await stored(storage, failed) == Stored(failed)


async def test_nothing_is_written_after_an_error(
    storage: StorageUnderTest, failed: Execution
) -> None:
    """An error on the way to the commit drops what was staged, and is not swallowed."""

    async def stage_and_fail() -> None:
        async with storage.new_unit_of_work() as work:
            a_retry_write(failed).stage(work)
            raise Interrupted

    with pytest.raises(Interrupted):
        await stage_and_fail()
    assert await stored(storage, failed) == Stored(failed)


async def test_a_unit_of_work_begins_with_nothing_staged(
    storage: StorageUnderTest, failed: Execution
) -> None:
    """What was staged before it was entered is not part of it."""
    work = storage.new_unit_of_work()
    a_retry_write(failed).stage(work)
    async with work:
        assert await work.commit() == frozenset()

    assert await stored(storage, failed) == Stored(failed)


async def test_reads_do_not_see_what_is_staged(
    storage: StorageUnderTest, failed: Execution
) -> None:
    """Until the commit a unit of work reads what everybody reads."""
    async with storage.new_unit_of_work() as work:
        a_retry_write(failed).stage(work)

        assert await work.executions.get(failed.tenant, failed.execution_id) == failed


async def test_a_commit_of_nothing_loses_nothing(storage: StorageUnderTest) -> None:
    """An empty unit of work commits."""
    assert await committed(storage, []) == frozenset()


@pytest.mark.parametrize(
    "change",
    [
        {"status": ExecutionStatus.COMPLETED},
        {"status": ExecutionStatus.RUNNING},
        {"retry_count": 1},
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
async def test_an_execution_that_changed_since_it_was_read_is_lost(
    storage: StorageUnderTest, failed: Execution, change: dict[str, Any]
) -> None:
    """Its id is returned, and neither it nor its attempt, job or event is written."""
    changed = evolve(failed, **change)
    await storage.neighbours.overwrite(changed)

    assert await committed(storage, [a_retry_write(failed)]) == {failed.execution_id}
    assert await stored(storage, failed) == Stored(changed)


async def test_a_value_that_was_not_there_when_read_is_a_change(
    storage: StorageUnderTest, failed: Execution
) -> None:
    """An error message that arrives late is not cleared without having been archived."""
    silent = evolve(failed, error_message=None)
    await storage.neighbours.overwrite(silent)
    write = a_retry_write(silent)
    await storage.executions.report(failed)

    assert await committed(storage, [write]) == {failed.execution_id}
    assert await stored(storage, failed) == Stored(failed)


async def test_what_a_retry_keeps_may_change_meanwhile(
    storage: StorageUnderTest, failed: Execution
) -> None:
    """A log entry that is written between read and commit neither stops the retry nor is lost."""
    write = a_retry_write(failed)
    entry = LogEntry(level=LogLevel.WARN, message="cleaned up", timestamp=NOON)
    await storage.executions.report(evolve(failed, logs=(*failed.logs, entry)))

    assert await committed(storage, [write]) == frozenset()
    after = await stored(storage, failed)
    assert after.execution == evolve(write.retry.execution, logs=(*failed.logs, entry))
    assert after.failed_attempts == (write.retry.failed_attempt,)


async def test_an_execution_that_does_not_exist_is_lost(storage: StorageUnderTest) -> None:
    """What is not there cannot be retried, nor leave messages."""
    gone = a_failed_execution()

    assert await committed(storage, [a_retry_write(gone)]) == {gone.execution_id}


async def test_of_two_executions_only_the_lost_one_is_left_out(
    storage: StorageUnderTest, failed: Execution
) -> None:
    """The other one is written together with its own attempt, job and event."""
    other = a_failed_execution(tenant=failed.tenant)
    running = evolve(other, status=ExecutionStatus.RUNNING)
    await storage.executions.add([running])
    write = a_retry_write(failed)

    assert await committed(storage, [a_retry_write(other), write]) == {other.execution_id}
    assert await stored(storage, failed) == Stored.after(write)
    assert await stored(storage, other) == Stored(running)


async def test_many_executions_are_one_commit(
    storage: StorageUnderTest, empty_outbox: StorageUnderTest
) -> None:
    """A unit of work takes the executions of several tenants at once."""
    executions = [a_failed_execution() for _ in range(30)]
    await empty_outbox.executions.add(executions)
    writes = [a_retry_write(execution) for execution in executions]

    assert await committed(storage, writes) == frozenset()
    for write in writes:
        assert await stored(storage, write.failed) == Stored.after(write)


async def test_a_retry_reaches_only_its_own_tenant(
    storage: StorageUnderTest, failed: Execution
) -> None:
    """A failed execution of another tenant with the same id stays as it is."""
    other = a_failed_execution(execution_id=failed.execution_id)
    await storage.executions.add([other])
    write = a_retry_write(failed)

    assert await committed(storage, [write]) == frozenset()
    assert await stored(storage, failed) == Stored.after(write)
    assert await stored(storage, other) == Stored(other)


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

    with pytest.raises(ValueError, match="attempt"):
        await committed(storage, [a_retry_write(bystander), a_retry_write(failed)])
    assert await stored(storage, bystander) == Stored(bystander)
    assert await stored(storage, failed) == Stored(
        failed, (first.retry.failed_attempt,), (first.job,), (first.event,)
    )


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
