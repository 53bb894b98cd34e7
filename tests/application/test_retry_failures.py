"""An error at any part of a retry leaves nothing behind."""

from collections.abc import Callable
from datetime import datetime
from typing import Self
from uuid import UUID

import pytest
from attrs import evolve

from automation_retry.adapters.memory import MemoryStore
from automation_retry.adapters.memory.execution_repository import MemoryExecutionRepository
from automation_retry.adapters.memory.unit_of_work import MemoryUnitOfWork
from automation_retry.adapters.staging import StagedMessages
from automation_retry.application import (
    ExecutionJob,
    IdempotencyKey,
    RetriedEvent,
    StorageUnavailable,
)
from automation_retry.application.ports import CommitOutcome
from automation_retry.domain import Execution, Principal, Retry
from tests.application.conftest import NewRetryExecution
from tests.application.left_behind import LeftBehind, left_behind
from tests.support.factories import a_failed_execution, a_retry_write
from tests.support.memory import commit_silently, unit_of_work


class Broken(Exception):
    """What none of the service's errors is."""


class BrokenRead(MemoryExecutionRepository):
    async def get(self, tenant: UUID, execution_id: UUID) -> Execution:
        await super().get(tenant, execution_id)
        raise Broken


class BrokenQueue(StagedMessages):
    def enqueue(self, job: ExecutionJob) -> None:
        super().enqueue(job)
        raise Broken


class BrokenBus(StagedMessages):
    def publish(self, event: RetriedEvent) -> None:
        super().publish(event)
        raise Broken


class BrokenEnqueue(MemoryUnitOfWork):
    async def __aenter__(self) -> Self:
        await super().__aenter__()
        self.queue = BrokenQueue()
        return self


class BrokenPublish(MemoryUnitOfWork):
    async def __aenter__(self) -> Self:
        await super().__aenter__()
        self.events = BrokenBus()
        return self


class BrokenRecord(MemoryUnitOfWork):
    def record(
        self,
        retry: Retry,
        key: IdempotencyKey | None = None,
        reservation_id: UUID | None = None,
    ) -> None:
        super().record(retry, key, reservation_id)
        raise Broken


class BrokenCommit(MemoryUnitOfWork):
    async def commit(self, *, wait: bool = True) -> CommitOutcome:  # noqa: ARG002
        raise Broken


class BrokenOnce(MemoryUnitOfWork):
    broken = True

    async def commit(self, *, wait: bool = True) -> CommitOutcome:
        if self.broken:
            self.broken = False
            raise Broken
        return await super().commit(wait=wait)


def broken_read(store: MemoryStore) -> MemoryUnitOfWork:
    return unit_of_work(store, BrokenRead(store))


def broken(of: type[MemoryUnitOfWork]) -> Callable[[MemoryStore], MemoryUnitOfWork]:
    return lambda store: unit_of_work(store, of=of)


@pytest.fixture
def failed(store: MemoryStore, principal: Principal) -> Execution:
    execution = a_failed_execution(tenant=principal.tenant)
    store.add([execution])
    return execution


@pytest.mark.parametrize(
    "new_broken_unit_of_work",
    [
        broken_read,
        broken(BrokenRecord),
        broken(BrokenEnqueue),
        broken(BrokenPublish),
        broken(BrokenCommit),
    ],
    ids=["read", "record", "enqueue", "publish", "commit"],
)
async def test_a_broken_part_of_the_unit_of_work_leaves_nothing_behind(
    store: MemoryStore,
    new_retry_execution: NewRetryExecution,
    principal: Principal,
    failed: Execution,
    new_broken_unit_of_work: Callable[[MemoryStore], MemoryUnitOfWork],
) -> None:
    """The error reaches the caller; execution, attempts and outbox are as before."""
    retry_execution = new_retry_execution(new_unit_of_work=lambda: new_broken_unit_of_work(store))

    with pytest.raises(Broken):
        await retry_execution(principal, failed.execution_id)
    assert left_behind(store, failed) == LeftBehind(failed)


async def test_a_broken_clock_leaves_nothing_behind(
    store: MemoryStore,
    new_retry_execution: NewRetryExecution,
    principal: Principal,
    failed: Execution,
) -> None:
    """Without a time there is no retry."""

    def broken_clock() -> datetime:
        raise Broken

    with pytest.raises(Broken):
        await new_retry_execution(clock=broken_clock)(principal, failed.execution_id)
    assert left_behind(store, failed) == LeftBehind(failed)


@pytest.mark.parametrize("ids_before", [0, 1], ids=["job id", "event id"])
async def test_a_broken_source_of_ids_leaves_nothing_behind(
    store: MemoryStore,
    new_retry_execution: NewRetryExecution,
    principal: Principal,
    failed: Execution,
    ids_before: int,
) -> None:
    """A job that has its id already goes down with the event that gets none."""
    ids = [UUID(int=number) for number in range(ids_before)]

    with pytest.raises(IndexError):
        await new_retry_execution(new_id=ids.pop)(principal, failed.execution_id)
    assert left_behind(store, failed) == LeftBehind(failed)


async def test_an_answer_that_cannot_be_built_leaves_nothing_behind(
    store: MemoryStore,
    new_retry_execution: NewRetryExecution,
    failed: Execution,
    principal: Principal,
) -> None:
    """It is built from what is about to be committed."""
    seen: list[Execution] = []

    def prepare(execution: Execution) -> None:
        seen.append(execution)
        raise Broken

    with pytest.raises(Broken):
        await new_retry_execution()(principal, failed.execution_id, prepare=prepare)

    assert left_behind(store, failed) == LeftBehind(failed)
    assert [one.retry_count for one in seen] == [failed.retry_count + 1]


async def test_a_retry_count_that_was_set_back_goes_on_after_the_last_attempt(
    store: MemoryStore,
    new_retry_execution: NewRetryExecution,
    principal: Principal,
    failed: Execution,
) -> None:
    """No number is used twice: it would fence the results of two runs alike."""
    first = a_retry_write(failed).retry
    commit_silently(store, first)
    store.overwrite(failed)

    retried = (await new_retry_execution()(principal, failed.execution_id)).execution
    left = left_behind(store, failed)
    assert retried == left.execution
    assert (retried.retry_count, [one.attempt for one in left.failed_attempts]) == (2, [1, 2])
    assert [one.retried.attempt for one in left.jobs] == [2]


@pytest.mark.parametrize("times", [1, 2])
async def test_an_answer_that_fails_after_the_commit_says_that_the_outcome_is_unknown(
    store: MemoryStore,
    new_retry_execution: NewRetryExecution,
    failed: Execution,
    principal: Principal,
    times: int,
) -> None:
    """It is built again where something else was committed, as what others changed meanwhile."""
    answers: list[Execution] = []

    class ChangedMeanwhile(MemoryExecutionRepository):
        async def get(self, tenant: UUID, execution_id: UUID) -> Execution:
            execution = await super().get(tenant, execution_id)
            store.overwrite(evolve(execution, actions_total=5))
            return execution

    def prepare(execution: Execution) -> None:
        answers.append(execution)
        if len(answers) > times:
            raise Broken

    retry_execution = new_retry_execution(
        new_unit_of_work=lambda: unit_of_work(store, ChangedMeanwhile(store))
    )
    if times == 1:
        with pytest.raises(StorageUnavailable):
            await retry_execution(principal, failed.execution_id, prepare=prepare)
    else:
        await retry_execution(principal, failed.execution_id, prepare=prepare)
    assert [one.actions_total for one in answers] == [4, 5]
    assert left_behind(store, failed).execution == answers[-1]


async def test_a_retry_after_an_error_is_a_retry_like_any_other(
    store: MemoryStore,
    new_retry_execution: NewRetryExecution,
    principal: Principal,
    failed: Execution,
) -> None:
    """Nothing of a failed try is mixed into the next one, even in the same unit of work."""
    work = unit_of_work(store, of=BrokenOnce)
    retry_execution = new_retry_execution(new_unit_of_work=lambda: work)
    with pytest.raises(Broken):
        await retry_execution(principal, failed.execution_id)
    await retry_execution(principal, failed.execution_id)
    left = left_behind(store, failed)

    assert (len(left.failed_attempts), len(left.jobs), len(left.events)) == (1, 1, 1)
