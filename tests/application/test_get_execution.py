from uuid import uuid4

import pytest

from automation_retry.adapters.granted_permissions import GrantedPermissions
from automation_retry.adapters.memory import MemoryStore
from automation_retry.adapters.memory.execution_repository import MemoryExecutionRepository
from automation_retry.application import ExecutionNotFound, ExecutionSeen, GetExecution
from automation_retry.domain import (
    AUTOMATION_EXECUTE,
    AUTOMATION_READ,
    ExecutionStatus,
    InvalidExecutionId,
    Permission,
    PermissionDenied,
    Principal,
    UnreadableExecution,
)
from tests.support.factories import a_failed_execution, a_principal

BOTH = frozenset({AUTOMATION_EXECUTE, AUTOMATION_READ})
READ_ONLY = frozenset({AUTOMATION_READ})


@pytest.fixture
def get_execution(store: MemoryStore) -> GetExecution:
    return GetExecution(GrantedPermissions(), MemoryExecutionRepository(store))


@pytest.mark.parametrize("status", ExecutionStatus)
@pytest.mark.parametrize("permissions", [BOTH, READ_ONLY], ids=["may execute", "may only read"])
async def test_tells_whether_this_callers_retry_would_be_allowed_now(
    store: MemoryStore,
    get_execution: GetExecution,
    status: ExecutionStatus,
    permissions: frozenset[Permission],
) -> None:
    """A retry is offered for a failed execution to those who may execute, and otherwise not."""
    caller = a_principal(permissions=permissions)
    execution = a_failed_execution(tenant=caller.tenant, status=status)
    store.add([execution])

    assert await get_execution(caller, execution.execution_id) == ExecutionSeen(
        execution=execution,
        may_retry=status is ExecutionStatus.FAILED and permissions == BOTH,
    )


async def test_asks_for_permission_first(store: MemoryStore, get_execution: GetExecution) -> None:
    """Without `automation:read`, nothing is told of ids or existence."""
    caller = a_principal(permissions=frozenset({AUTOMATION_EXECUTE}))
    execution = a_failed_execution(tenant=caller.tenant)
    store.add([execution])

    for execution_id in ("no id", uuid4(), execution.execution_id):
        with pytest.raises(PermissionDenied) as denied:
            await get_execution(caller, execution_id)
        assert denied.value.permission == AUTOMATION_READ


async def test_refuses_what_is_no_id(get_execution: GetExecution, principal: Principal) -> None:
    """The form of the id is checked before the storage is asked."""
    with pytest.raises(InvalidExecutionId):
        await get_execution(principal, f"{{{uuid4()}}}")


async def test_another_tenants_execution_is_not_found(
    store: MemoryStore, get_execution: GetExecution, principal: Principal
) -> None:
    """An id of another tenant reads like one that does not exist."""
    execution = a_failed_execution()
    store.add([execution])

    with pytest.raises(ExecutionNotFound) as other:
        await get_execution(principal, execution.execution_id)
    with pytest.raises(ExecutionNotFound) as unknown:
        await get_execution(principal, uuid4())
    assert str(other.value) == str(unknown.value)


async def test_what_cannot_be_expressed_is_an_error(
    store: MemoryStore, get_execution: GetExecution
) -> None:
    """It names the columns; an execution that only lacks a payload is read."""
    caller = a_principal(permissions=BOTH)
    truncated = a_failed_execution(tenant=caller.tenant, logs=None, truncated=frozenset({"logs"}))
    unreadable = a_failed_execution(
        tenant=caller.tenant,
        completed_at=None,
        duration_ms=None,
        unreadable=frozenset({"duration_ms", "completed_at"}),
    )
    store.add([truncated, unreadable])

    assert (await get_execution(caller, truncated.execution_id)).execution == truncated
    with pytest.raises(UnreadableExecution, match="completed_at, duration_ms"):
        await get_execution(caller, unreadable.execution_id)
