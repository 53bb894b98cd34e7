from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol
from uuid import uuid4

import pytest

from automation_retry.adapters.granted_permissions import GrantedPermissions
from automation_retry.adapters.memory import MemoryStore
from automation_retry.adapters.memory.execution_queries import MemoryExecutionQueries
from automation_retry.application import ListExecutions, RetryExecution
from automation_retry.application.ports import Clock, NewId, NewUnitOfWork
from automation_retry.domain import Execution, Principal
from tests.application.left_behind import RETRIED_AT
from tests.support.factories import NOON, a_failed_execution, a_principal, an_execution
from tests.support.memory import unit_of_work


class NewRetryExecution(Protocol):
    """Builds the use case over the test's store, with one part at a time replaced."""

    def __call__(
        self,
        *,
        new_unit_of_work: NewUnitOfWork | None = None,
        clock: Clock = lambda: RETRIED_AT,
        new_id: NewId = uuid4,
    ) -> RetryExecution: ...


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def principal() -> Principal:
    return a_principal()


@pytest.fixture
def new_retry_execution(store: MemoryStore) -> NewRetryExecution:
    def new(
        *,
        new_unit_of_work: NewUnitOfWork | None = None,
        clock: Clock = lambda: RETRIED_AT,
        new_id: NewId = uuid4,
    ) -> RetryExecution:
        return RetryExecution(
            GrantedPermissions(),
            new_unit_of_work or (lambda: unit_of_work(store)),
            clock,
            new_id,
        )

    return new


@pytest.fixture
def retry_execution(new_retry_execution: NewRetryExecution) -> RetryExecution:
    return new_retry_execution()


@pytest.fixture
def list_executions(store: MemoryStore) -> ListExecutions:
    return ListExecutions(GrantedPermissions(), MemoryExecutionQueries(store))


@pytest.fixture
def seven(store: MemoryStore, principal: Principal) -> Sequence[Execution]:
    """The newest first; another tenant has some of its own."""
    rows = [
        a_failed_execution(tenant=principal.tenant, started_at=NOON - timedelta(minutes=number))
        for number in range(7)
    ]
    store.add([*rows, an_execution(), an_execution()])
    return rows
