import pytest
from attrs import evolve

from automation_retry.application.ports import CommitOutcome
from automation_retry.domain import Execution, ExecutionStatus
from tests.contracts.storage import StorageUnderTest
from tests.contracts.stored import Stored, stored
from tests.contracts.unit_of_work.conftest import committed
from tests.support.factories import a_failed_execution, a_principal, a_retry_write


class Interrupted(Exception):
    """An error that no port raises."""


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
    write = a_retry_write(bare, by=caller, request_id=None, reason=None)

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
        assert await work.commit() == CommitOutcome()

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
