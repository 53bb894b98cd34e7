"""Several executions retried at once: each by the rules of the single retry."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import pytest
from attrs import evolve, frozen

from automation_retry.adapters.granted_permissions import GrantedPermissions
from automation_retry.adapters.memory import MemoryStore
from automation_retry.adapters.memory.execution_repository import MemoryExecutionRepository
from automation_retry.adapters.memory.kept_answers import MemoryKeptAnswers
from automation_retry.adapters.memory.unit_of_work import MemoryUnitOfWork
from automation_retry.application import (
    BulkRetry,
    MessageKind,
    Refusal,
    RefusedExecution,
    RetriedExecution,
    RetryConflict,
    RetryState,
    StorageFailed,
    StorageUnavailable,
)
from automation_retry.application.ports import CommitOutcome, NewUnitOfWork
from automation_retry.domain import (
    AUTOMATION_READ,
    Execution,
    ExecutionStatus,
    InvalidExecutionId,
    PermissionDenied,
    Principal,
    UnreadableExecution,
)
from tests.application.left_behind import RETRIED_AT
from tests.support.factories import NOON, a_failed_execution, a_principal, a_retry_write
from tests.support.memory import commit_silently, unit_of_work, waiting


def new_bulk_retry(
    store: MemoryStore, new_unit_of_work: NewUnitOfWork | None = None, **changes: Any
) -> BulkRetry:
    return BulkRetry(
        GrantedPermissions(),
        new_unit_of_work or (lambda: unit_of_work(store)),
        MemoryKeptAnswers(store, lambda: NOON),
        lambda: RETRIED_AT,
        uuid4,
        **changes,
    )


def failed_ones(store: MemoryStore, principal: Principal, number: int) -> Sequence[Execution]:
    added = [a_failed_execution(tenant=principal.tenant) for _ in range(number)]
    store.add(added)
    return added


def retried(*executions: Execution, count: int = 1) -> list[RetriedExecution]:
    return [
        RetriedExecution(execution_id=one.execution_id, retry_count=count) for one in executions
    ]


async def test_all_that_failed_are_retried(store: MemoryStore, principal: Principal) -> None:
    """Reset, archived with who, when and why, queued and announced."""
    failed = failed_ones(store, principal, 3)
    why: Any = {"reason": "SMTP is back", "request_id": "ticket-4711"}

    answer = await new_bulk_retry(store)(principal, [one.execution_id for one in failed], **why)

    assert answer.results == retried(*failed)
    for one in failed:
        retry = one.retry(at=RETRIED_AT, by=principal, **why)
        assert store.execution(one.tenant, one.execution_id) == retry.execution
        [attempt] = store.failed_attempts(one.tenant, one.execution_id)
        assert attempt == retry.failed_attempt
    for kind in MessageKind:
        sent = waiting(store, kind)
        assert [one.retried.execution_id for one in sent] == [one.execution_id for one in failed]
        assert {one.retried.reason for one in sent} == {"SMTP is back"}


async def test_results_come_in_the_order_of_the_ids_each_once(
    store: MemoryStore, principal: Principal
) -> None:
    """An id in capitals is the same id."""
    first, second = failed_ones(store, principal, 2)
    ids: list[UUID | str] = [
        second.execution_id,
        str(first.execution_id).upper(),
        second.execution_id,
    ]

    answer = await new_bulk_retry(store)(principal, ids)

    assert answer.results == retried(second, first)


async def test_one_that_cannot_be_retried_holds_up_no_other(
    store: MemoryStore, principal: Principal
) -> None:
    """It is refused with what its own retry would be answered."""
    failed, other = failed_ones(store, principal, 2)
    running = a_failed_execution(
        tenant=principal.tenant, status=ExecutionStatus.RUNNING, retry_count=3
    )
    foreign = a_failed_execution()
    store.add([running, foreign])
    missing = uuid4()
    ids = [failed.execution_id, running.execution_id, foreign.execution_id, missing]

    answer = await new_bulk_retry(store)(principal, [*ids, other.execution_id])

    assert answer.retried == retried(failed, other)
    assert {one.execution_id: one.refusal for one in answer.refused} == {
        running.execution_id: Refusal(
            code="BAD_REQUEST",
            message=f"Only failed executions can be retried; execution {running.execution_id}"
            " is running",
            details=RetryState("running", 3),
        ),
        foreign.execution_id: Refusal(code="NOT_FOUND", message="Execution not found"),
        missing: Refusal(code="NOT_FOUND", message="Execution not found"),
    }
    assert store.execution(foreign.tenant, foreign.execution_id) == foreign


async def test_without_permission_nothing_is_done(store: MemoryStore) -> None:
    """Whatever the ids are."""
    reader = a_principal(permissions=frozenset({AUTOMATION_READ}))

    with pytest.raises(PermissionDenied):
        await new_bulk_retry(store)(reader, ["no id"])


async def test_an_id_that_is_none_stops_all(store: MemoryStore, principal: Principal) -> None:
    [failed] = failed_ones(store, principal, 1)

    with pytest.raises(InvalidExecutionId):
        await new_bulk_retry(store)(principal, [failed.execution_id, "no id"])
    assert store.execution(failed.tenant, failed.execution_id) == failed


@pytest.mark.parametrize("number", [0, 101])
async def test_takes_1_to_100_ids(store: MemoryStore, principal: Principal, number: int) -> None:
    with pytest.raises(ValueError, match="1 to 100 ids"):
        await new_bulk_retry(store)(principal, [uuid4()] * number)


@pytest.mark.parametrize("reason", ["", "x" * 501, "nul \0", "half \ud83d"])
async def test_a_reason_that_cannot_be_kept_is_refused(
    store: MemoryStore, principal: Principal, reason: str
) -> None:
    [failed] = failed_ones(store, principal, 1)

    with pytest.raises(ValueError, match="1 to 500 characters"):
        await new_bulk_retry(store)(principal, [failed.execution_id], reason=reason)
    assert store.execution(failed.tenant, failed.execution_id) == failed


class Refusing(MemoryUnitOfWork):
    """A storage that refuses to commit one execution, as a trigger can."""

    refused: UUID
    commits: int = 0

    async def commit(self, *, wait: bool = True) -> CommitOutcome:
        type(self).commits += 1
        if any(one.execution.execution_id == self.refused for one in self._retries):
            raise StorageFailed("their trigger")
        return await super().commit(wait=wait)


@pytest.mark.parametrize("place", [0, 37, 99])
async def test_one_that_the_storage_refuses_is_found_in_few_commits(
    store: MemoryStore, principal: Principal, place: int
) -> None:
    """By halves: not one commit for each of a hundred."""
    failed = failed_ones(store, principal, 100)
    odd = failed[place]

    class RefusingOne(Refusing):
        refused = odd.execution_id

    answer = await new_bulk_retry(store, lambda: unit_of_work(store, of=RefusingOne))(
        principal, [one.execution_id for one in failed]
    )

    assert answer.retried == retried(*(one for one in failed if one is not odd))
    [refused] = answer.refused
    assert (refused.execution_id, refused.refusal.code) == (odd.execution_id, "INTERNAL_ERROR")
    assert refused.refusal.message == "An unexpected error occurred"
    assert isinstance(refused.error, StorageFailed)
    assert RefusingOne.commits <= 15


async def test_numbers_of_attempts_go_on_after_the_last_archived_one(
    store: MemoryStore, principal: Principal
) -> None:
    """For whom somebody set `retry_count` back; the others are as ever."""
    failed = failed_ones(store, principal, 5)
    for one in failed[1:3]:
        commit_silently(store, a_retry_write(one).retry)
        store.overwrite(one)

    answer = await new_bulk_retry(store)(principal, [one.execution_id for one in failed])

    assert answer.results == [
        *retried(failed[0]),
        *retried(*failed[1:3], count=2),
        *retried(*failed[3:]),
    ]


@frozen
class Changing(MemoryExecutionRepository):
    """Somebody else changes one execution after each read of it."""

    changed: UUID

    async def get(self, tenant: UUID, execution_id: UUID) -> Execution:
        execution = await super().get(tenant, execution_id)
        if execution_id == self.changed:
            self.store.overwrite(evolve(execution, retry_count=execution.retry_count + 1))
        return execution


async def test_one_that_keeps_changing_is_a_conflict_at_last(
    store: MemoryStore, principal: Principal
) -> None:
    """After pauses of some seconds in all; the others were committed at once."""
    failed, restless = failed_ones(store, principal, 2)
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        assert store.execution(failed.tenant, failed.execution_id).retry_count == 1
        pauses.append(seconds)

    reading = Changing(store, restless.execution_id)
    answer = await new_bulk_retry(store, lambda: unit_of_work(store, reading), pause=pause)(
        principal, [restless.execution_id, failed.execution_id]
    )

    assert answer.results == [
        RefusedExecution(
            execution_id=restless.execution_id,
            refusal=Refusal.of(RetryConflict(restless.execution_id)),
        ),
        *retried(failed),
    ]
    assert sum(pauses) == pytest.approx(1.6)


@frozen
class Unreadable(MemoryExecutionRepository):
    unreadable: UUID
    error: Exception

    async def get(self, tenant: UUID, execution_id: UUID) -> Execution:
        if execution_id == self.unreadable:
            raise self.error
        return await super().get(tenant, execution_id)


@pytest.mark.parametrize(
    "error", [UnreadableExecution(uuid4(), ["actions_total"]), StorageFailed("their view")]
)
async def test_one_that_cannot_be_read_holds_up_no_other(
    store: MemoryStore, principal: Principal, error: Exception
) -> None:
    odd, failed = failed_ones(store, principal, 2)
    reading = Unreadable(store, odd.execution_id, error)

    answer = await new_bulk_retry(store, lambda: unit_of_work(store, reading))(
        principal, [odd.execution_id, failed.execution_id]
    )

    assert answer.retried == retried(failed)
    assert [one.refusal.code for one in answer.refused] == ["INTERNAL_ERROR"]


async def test_without_a_storage_there_is_no_answer(
    store: MemoryStore, principal: Principal
) -> None:
    """Even if some could be read."""
    odd, failed = failed_ones(store, principal, 2)
    reading = Unreadable(store, odd.execution_id, StorageUnavailable("gone"))

    with pytest.raises(StorageUnavailable):
        await new_bulk_retry(store, lambda: unit_of_work(store, reading))(
            principal, [odd.execution_id, failed.execution_id]
        )
    assert store.execution(failed.tenant, failed.execution_id) == failed
