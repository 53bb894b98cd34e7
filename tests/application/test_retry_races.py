"""Concurrent changes between a retry's read and its commit."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import count
from uuid import UUID

import pytest
from attrs import define, evolve, field, frozen

from automation_retry.adapters.memory import MemoryStore
from automation_retry.adapters.memory.execution_repository import MemoryExecutionRepository
from automation_retry.application import Retried, RetryConflict, RetryExecution
from automation_retry.application.ports import NewUnitOfWork
from automation_retry.domain import Execution, ExecutionNotFailed, ExecutionStatus, Principal
from tests.application.conftest import NewRetryExecution
from tests.application.left_behind import RETRIED_AT, LeftBehind, left_behind
from tests.support.factories import a_failed_execution, a_retry_write
from tests.support.memory import commit_silently, unit_of_work


@define(eq=False)
class Gathering:
    """A barrier: everybody waits for the last one."""

    missing: int
    complete: asyncio.Event = field(init=False, factory=asyncio.Event)

    async def join(self) -> None:
        self.missing -= 1
        if self.missing == 0:
            self.complete.set()
        async with asyncio.timeout(30):
            await self.complete.wait()


@frozen
class ReadTogether(MemoryExecutionRepository):
    """All readers hold the same state before the first of them may write."""

    readers: Gathering

    async def get(self, tenant: UUID, execution_id: UUID) -> Execution:
        execution = await super().get(tenant, execution_id)
        await self.readers.join()
        return execution


@frozen
class ChangedAfterRead(MemoryExecutionRepository):
    """Changes the execution after each read."""

    change: Callable[[Execution], object]

    async def get(self, tenant: UUID, execution_id: UUID) -> Execution:
        execution = await super().get(tenant, execution_id)
        self.change(execution)
        return execution


@frozen
class ChangedBeforeRead(MemoryExecutionRepository):
    """Changes something just before each read."""

    change: Callable[[], Awaitable[object]]

    async def get(self, tenant: UUID, execution_id: UUID) -> Execution:
        await self.change()
        return await super().get(tenant, execution_id)


def reading_from(store: MemoryStore, executions: MemoryExecutionRepository) -> NewUnitOfWork:
    """Units of work over the store that read through the given repository."""
    return lambda: unit_of_work(store, executions)


@pytest.fixture
def failed(store: MemoryStore, principal: Principal) -> Execution:
    execution = a_failed_execution(tenant=principal.tenant)
    store.add([execution])
    return execution


async def test_of_fifty_concurrent_retries_exactly_one_wins(
    store: MemoryStore,
    new_retry_execution: NewRetryExecution,
    principal: Principal,
    failed: Execution,
) -> None:
    """All fifty read a failed execution; one retries it, and the others hear that it is pending."""
    executions = ReadTogether(store, Gathering(50))
    retry_execution = new_retry_execution(new_unit_of_work=reading_from(store, executions))
    outcomes = await asyncio.gather(
        *(retry_execution(principal, failed.execution_id) for _ in range(50)),
        return_exceptions=True,
    )
    left = left_behind(store, failed)

    assert [one.execution for one in outcomes if isinstance(one, Retried)] == [left.execution]
    assert [one.status for one in outcomes if isinstance(one, ExecutionNotFailed)] == 49 * [
        ExecutionStatus.PENDING
    ]
    assert (len(left.failed_attempts), len(left.jobs), len(left.events)) == (1, 1, 1)


async def test_a_lost_race_is_refused_by_the_domain(
    store: MemoryStore,
    new_retry_execution: NewRetryExecution,
    principal: Principal,
    failed: Execution,
) -> None:
    """An execution that an engine completed meanwhile is refused as completed."""
    completed = evolve(failed, status=ExecutionStatus.COMPLETED, error_message=None)
    executions = ChangedAfterRead(store, lambda _: store.report(completed))
    retry_execution = new_retry_execution(new_unit_of_work=reading_from(store, executions))

    with pytest.raises(ExecutionNotFailed) as refused:
        await retry_execution(principal, failed.execution_id)
    assert refused.value.status is ExecutionStatus.COMPLETED
    assert left_behind(store, failed) == LeftBehind(completed)


async def test_what_failed_anew_meanwhile_is_archived_as_it_is_now(
    store: MemoryStore,
    new_retry_execution: NewRetryExecution,
    principal: Principal,
    failed: Execution,
) -> None:
    """The retry archives the newer error, which it clears; the older one was never committed."""
    failed_anew = evolve(failed, error_message="disk full")
    executions = ChangedAfterRead(store, lambda _: store.report(failed_anew))
    retry_execution = new_retry_execution(new_unit_of_work=reading_from(store, executions))
    await retry_execution(principal, failed.execution_id)
    left = left_behind(store, failed)

    assert [one.error_message for one in left.failed_attempts] == ["disk full"]
    assert (len(left.jobs), len(left.events)) == (1, 1)


async def test_what_was_retried_and_failed_meanwhile_is_retried_as_the_next_attempt(
    store: MemoryStore,
    new_retry_execution: NewRetryExecution,
    principal: Principal,
    failed: Execution,
) -> None:
    """Attempts, job and event go on counting where the other retry stopped."""
    other = a_retry_write(failed).retry

    def retried_and_failed_again(read: Execution) -> None:
        if read.retry_count == 0:
            commit_silently(store, other)
            store.report(evolve(failed, retry_count=1, error_message="disk full"))

    executions = ChangedAfterRead(store, retried_and_failed_again)
    retry_execution = new_retry_execution(new_unit_of_work=reading_from(store, executions))
    retried = (await retry_execution(principal, failed.execution_id)).execution
    left = left_behind(store, failed)

    assert (retried.retry_count, retried.started_at) == (2, RETRIED_AT)
    assert [one.attempt for one in left.failed_attempts] == [1, 2]
    assert [one.retried.attempt for one in left.jobs] == [2]
    assert [one.retried.attempt for one in left.events] == [2]


async def test_a_concurrent_request_with_the_same_key_gets_the_same_answer(
    store: MemoryStore,
    retry_execution: RetryExecution,
    new_retry_execution: NewRetryExecution,
    principal: Principal,
    failed: Execution,
) -> None:
    """Both get the same answer, although the second reads an execution that is pending."""

    async def first() -> Retried:
        return await retry_execution(principal, failed.execution_id, idempotency_key="k")

    executions = ChangedBeforeRead(store, first)
    second = new_retry_execution(new_unit_of_work=reading_from(store, executions))
    answer = await second(principal, failed.execution_id, idempotency_key="k")
    left = left_behind(store, failed)

    assert answer == Retried(execution=left.execution, replayed=True)
    assert (len(left.failed_attempts), len(left.jobs), len(left.events)) == (1, 1, 1)


async def test_an_execution_that_keeps_changing_is_a_conflict(
    store: MemoryStore,
    new_retry_execution: NewRetryExecution,
    principal: Principal,
    failed: Execution,
) -> None:
    """Instead of trying for ever the retry gives up, having written nothing."""
    counts = count(1)
    executions = ChangedAfterRead(
        store, lambda read: store.overwrite(evolve(read, retry_count=next(counts)))
    )
    retry_execution = new_retry_execution(new_unit_of_work=reading_from(store, executions))

    with pytest.raises(RetryConflict) as conflict:
        await retry_execution(principal, failed.execution_id)
    assert conflict.value.execution_id == failed.execution_id
    left = left_behind(store, failed)
    assert left == LeftBehind(evolve(failed, retry_count=left.execution.retry_count))
