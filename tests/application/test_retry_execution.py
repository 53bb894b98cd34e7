from uuid import uuid4

import pytest
from attrs import evolve

from automation_retry.adapters.memory import MemoryStore
from automation_retry.adapters.memory.unit_of_work import MemoryUnitOfWork
from automation_retry.application import (
    ExecutionJob,
    ExecutionNotFound,
    RetriedEvent,
    RetryExecution,
)
from automation_retry.domain import (
    AUTOMATION_EXECUTE,
    AUTOMATION_READ,
    ExecutionNotFailed,
    ExecutionStatus,
    InvalidExecutionId,
    Permission,
    PermissionDenied,
    Principal,
    UnknownStatus,
)
from tests.application.conftest import NewRetryExecution
from tests.application.left_behind import RETRIED_AT, LeftBehind, left_behind
from tests.support.factories import a_failed_execution, a_principal, an_execution
from tests.support.memory import unit_of_work

JOB_ID, EVENT_ID = uuid4(), uuid4()


async def test_returns_the_execution_as_committed(
    store: MemoryStore, retry_execution: RetryExecution, principal: Principal
) -> None:
    """The answer is what a read of the store gives from now on: pending, started now."""
    failed = a_failed_execution(tenant=principal.tenant)
    store.add([failed])
    retried = (await retry_execution(principal, failed.execution_id)).execution

    assert retried == store.execution(failed.tenant, failed.execution_id)
    assert (retried.status, retried.started_at, retried.retry_count) == (
        ExecutionStatus.PENDING,
        RETRIED_AT,
        1,
    )


async def test_writes_execution_attempt_job_and_event(
    store: MemoryStore, new_retry_execution: NewRetryExecution, principal: Principal
) -> None:
    """One retry leaves one of each, all about the same attempt and request."""
    failed = a_failed_execution(tenant=principal.tenant, retry_count=2)
    store.add([failed])
    ids = iter([JOB_ID, EVENT_ID])
    retry_execution = new_retry_execution(new_id=lambda: next(ids))
    await retry_execution(principal, failed.execution_id, request_id="req-7")
    expected = failed.retry(at=RETRIED_AT, by=principal, request_id="req-7")

    assert left_behind(store, failed) == LeftBehind(
        expected.execution,
        (expected.failed_attempt,),
        (ExecutionJob(id=JOB_ID, retried=evolve(expected.event, api_key_id=None)),),
        (RetriedEvent(id=EVENT_ID, retried=expected.event),),
    )


async def test_wakes_the_relay_after_the_commit(
    store: MemoryStore, new_retry_execution: NewRetryExecution, principal: Principal
) -> None:
    """When the relay is woken, the store has the new status."""
    failed = a_failed_execution(tenant=principal.tenant)
    store.add([failed])
    seen: list[ExecutionStatus | UnknownStatus] = []

    def on_commit() -> None:
        seen.append(store.execution(failed.tenant, failed.execution_id).status)

    retry_execution = new_retry_execution(
        new_unit_of_work=lambda: unit_of_work(store, on_commit=on_commit)
    )
    await retry_execution(principal, failed.execution_id)

    assert seen == [ExecutionStatus.PENDING]


async def test_takes_an_id_as_text_in_any_case(
    store: MemoryStore, retry_execution: RetryExecution, principal: Principal
) -> None:
    """In-process callers hold UUIDs, requests hold text."""
    failed = a_failed_execution(tenant=principal.tenant)
    store.add([failed])
    retried = (await retry_execution(principal, str(failed.execution_id).upper())).execution

    assert retried.execution_id == failed.execution_id


async def test_asks_for_permission_first(
    store: MemoryStore, retry_execution: RetryExecution, principal: Principal
) -> None:
    """Without `automation:execute`, nothing is told of ids, existence or state."""
    running = an_execution(tenant=principal.tenant, status=ExecutionStatus.RUNNING)
    store.add([running])
    reader = evolve(principal, permissions=frozenset({AUTOMATION_READ}))

    for execution_id in ("no id", uuid4(), running.execution_id):
        with pytest.raises(PermissionDenied) as denied:
            await retry_execution(reader, execution_id)
        assert denied.value.permission == AUTOMATION_EXECUTE


async def test_looks_at_the_form_of_the_id_before_the_storage(
    new_retry_execution: NewRetryExecution, principal: Principal
) -> None:
    """A malformed id is refused without a unit of work being begun."""

    def no_unit_of_work() -> MemoryUnitOfWork:
        pytest.fail("a unit of work was begun")

    with pytest.raises(InvalidExecutionId):
        await new_retry_execution(new_unit_of_work=no_unit_of_work)(principal, "no id")


async def test_an_unknown_execution_is_not_found(
    retry_execution: RetryExecution, principal: Principal
) -> None:
    """A well-formed id that nothing has is not found."""
    execution_id = uuid4()

    with pytest.raises(ExecutionNotFound) as missing:
        await retry_execution(principal, execution_id)
    assert missing.value.execution_id == execution_id


async def test_another_tenants_execution_is_not_found(
    store: MemoryStore, retry_execution: RetryExecution, principal: Principal
) -> None:
    """A failed execution of another tenant is as unknown as one that does not exist."""
    failed = a_failed_execution()
    store.add([failed])

    with pytest.raises(ExecutionNotFound):
        await retry_execution(principal, failed.execution_id)
    assert left_behind(store, failed) == LeftBehind(failed)


@pytest.mark.parametrize(
    "status", [status for status in ExecutionStatus if status is not ExecutionStatus.FAILED]
)
async def test_an_execution_that_did_not_fail_stays_as_it_is(
    store: MemoryStore,
    retry_execution: RetryExecution,
    principal: Principal,
    status: ExecutionStatus,
) -> None:
    """The domain's refusal reaches the caller, and nothing is written."""
    execution = an_execution(tenant=principal.tenant, status=status)
    store.add([execution])

    with pytest.raises(ExecutionNotFailed) as refused:
        await retry_execution(principal, execution.execution_id)
    assert refused.value.status is status
    assert left_behind(store, execution) == LeftBehind(execution)


async def test_a_permission_for_something_else_is_not_enough(
    store: MemoryStore, retry_execution: RetryExecution
) -> None:
    """Both halves of a permission count: the resource and the action."""
    failed = a_failed_execution()
    store.add([failed])
    others = frozenset({Permission("ticket", "execute"), Permission("automation", "delete")})

    with pytest.raises(PermissionDenied):
        await retry_execution(
            a_principal(tenant=failed.tenant, permissions=others), failed.execution_id
        )
    assert left_behind(store, failed) == LeftBehind(failed)
