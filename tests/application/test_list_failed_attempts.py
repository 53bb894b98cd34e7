from uuid import uuid4

import pytest
from attrs import evolve

from automation_retry.adapters.granted_permissions import GrantedPermissions
from automation_retry.adapters.memory import MemoryStore
from automation_retry.adapters.memory.execution_repository import MemoryExecutionRepository
from automation_retry.application import ExecutionNotFound, ListFailedAttempts
from automation_retry.domain import (
    AUTOMATION_EXECUTE,
    AUTOMATION_READ,
    Execution,
    InvalidExecutionId,
    PermissionDenied,
    Principal,
)
from tests.support.factories import a_failed_execution, a_principal, a_retry_write
from tests.support.memory import commit_silently


@pytest.fixture
def list_failed_attempts(store: MemoryStore) -> ListFailedAttempts:
    return ListFailedAttempts(GrantedPermissions(), MemoryExecutionRepository(store))


@pytest.fixture
def five_times_retried(store: MemoryStore, principal: Principal) -> Execution:
    failed = a_failed_execution(tenant=principal.tenant)
    store.add([failed])
    for attempt in range(5):
        current = evolve(failed, retry_count=attempt)
        store.report(current)
        commit_silently(store, a_retry_write(current, by=principal).retry)
    return failed


@pytest.mark.parametrize(
    ("page", "limit", "attempts"),
    [(1, 25, [5, 4, 3, 2, 1]), (1, 2, [5, 4]), (2, 2, [3, 2]), (3, 2, [1]), (4, 2, [])],
)
async def test_pages_run_from_the_newest_attempt_to_the_oldest(
    list_failed_attempts: ListFailedAttempts,
    five_times_retried: Execution,
    page: int,
    limit: int,
    attempts: list[int],
) -> None:
    """Every page says which one it is and how many attempts there are in all."""
    reader = a_principal(tenant=five_times_retried.tenant)
    listed = await list_failed_attempts(
        reader, five_times_retried.execution_id, page=page, limit=limit
    )

    assert [one.attempt for one in listed.items] == attempts
    assert (listed.request.page, listed.request.limit, listed.total) == (page, limit, 5)


async def test_the_first_page_of_twenty_five_is_the_default(
    list_failed_attempts: ListFailedAttempts, principal: Principal, five_times_retried: Execution
) -> None:
    """Without a page, the newest attempts are listed."""
    listed = await list_failed_attempts(principal, five_times_retried.execution_id)

    assert (listed.request.page, listed.request.limit, len(listed.items)) == (1, 25, 5)


async def test_an_execution_that_was_never_retried_has_no_attempts(
    store: MemoryStore, list_failed_attempts: ListFailedAttempts, principal: Principal
) -> None:
    """A failure is archived when it is retried, not before."""
    failed = a_failed_execution(tenant=principal.tenant)
    store.add([failed])
    listed = await list_failed_attempts(principal, failed.execution_id)

    assert (list(listed.items), listed.total) == ([], 0)


async def test_asks_for_permission_first(list_failed_attempts: ListFailedAttempts) -> None:
    """Those who may only execute see neither the archive nor whether an id is valid."""
    with pytest.raises(PermissionDenied) as denied:
        await list_failed_attempts(
            a_principal(permissions=frozenset({AUTOMATION_EXECUTE})), "no id"
        )
    assert denied.value.permission == AUTOMATION_READ


async def test_refuses_what_is_no_id(
    list_failed_attempts: ListFailedAttempts, principal: Principal
) -> None:
    """The form of the id is checked before the storage is asked."""
    with pytest.raises(InvalidExecutionId):
        await list_failed_attempts(principal, "no id")


async def test_another_tenants_attempts_are_not_found(
    list_failed_attempts: ListFailedAttempts, five_times_retried: Execution
) -> None:
    """To a caller of another tenant the execution does not exist, nor does a made-up one."""
    stranger = a_principal()

    for execution_id in (five_times_retried.execution_id, uuid4()):
        with pytest.raises(ExecutionNotFound):
            await list_failed_attempts(stranger, execution_id)


@pytest.mark.parametrize("paging", [{"page": 0}, {"limit": 0}])
async def test_pages_and_limits_count_from_one(
    list_failed_attempts: ListFailedAttempts, principal: Principal, paging: dict[str, int]
) -> None:
    """Nothing is read for a page that cannot be."""
    with pytest.raises(ValueError, match="must be 1 or more"):
        await list_failed_attempts(principal, uuid4(), **paging)
