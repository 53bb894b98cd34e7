from collections.abc import AsyncIterator, Callable, MutableMapping
from datetime import UTC, datetime
from time import monotonic_ns
from typing import Any
from uuid import UUID, uuid4

import pytest
import structlog
from attrs import frozen
from httpx import ASGITransport, AsyncClient

from automation_retry.adapters.granted_permissions import GrantedPermissions
from automation_retry.adapters.memory import (
    MemoryAuthenticator,
    MemoryDirectory,
    MemoryExecutionRepository,
    MemoryReadiness,
    MemoryStore,
    MemoryUnitOfWork,
)
from automation_retry.application import GetExecution, ListFailedAttempts, RetryExecution
from automation_retry.application.ports import Authenticator
from automation_retry.domain import AUTOMATION_EXECUTE, AUTOMATION_READ, Execution
from automation_retry.entrypoints.http import Api, RateLimiter, create_app
from tests.factories import a_failed_execution

EXECUTIONS = "/api/v1/automation/executions"
Lines = list[MutableMapping[str, Any]]


def _now() -> datetime:
    return datetime.now(UTC)


@frozen(kw_only=True)
class Service:
    """The application in memory, with one failed execution and three keys in its tenant."""

    client: AsyncClient
    store: MemoryStore
    failed: Execution
    key: str
    readers_key: str
    outsiders_key: str
    """Of a user who may do nothing."""

    @property
    def link(self) -> str:
        return f"{EXECUTIONS}/{self.failed.execution_id}"


@pytest.fixture
def enforce() -> bool:
    """Whether the rate limit is meant."""
    return False


@pytest.fixture
def authenticator() -> Authenticator | None:
    """Another authenticator than the one in memory."""
    return None


@pytest.fixture
async def service(enforce: bool, authenticator: Authenticator | None) -> AsyncIterator[Service]:
    store = MemoryStore()
    failed = a_failed_execution()
    store.add([failed])
    authorizer = GrantedPermissions()
    executions = MemoryExecutionRepository(store)
    app = create_app(
        Api(
            authenticator=authenticator or MemoryAuthenticator(store, _now),
            authorizer=authorizer,
            retry_execution=RetryExecution(
                authorizer, lambda: MemoryUnitOfWork(store), _now, uuid4
            ),
            get_execution=GetExecution(authorizer, executions),
            list_failed_attempts=ListFailedAttempts(authorizer, executions),
            readiness=MemoryReadiness(),
            rate_limiter=RateLimiter(enforce=enforce, monotonic_ns=monotonic_ns, clock=_now),
            new_id=uuid4,
        )
    )
    new_key = _keys(store, failed.tenant)
    async with AsyncClient(transport=ASGITransport(app), base_url="http://service") as client:
        yield Service(
            client=client,
            store=store,
            failed=failed,
            key=await new_key("both", frozenset({AUTOMATION_EXECUTE, AUTOMATION_READ})),
            readers_key=await new_key("reader", frozenset({AUTOMATION_READ})),
            outsiders_key=await new_key("outsider", frozenset()),
        )


def _keys(store: MemoryStore, tenant: UUID) -> Callable[..., Any]:
    directory = MemoryDirectory(store, _now, uuid4)

    async def new_key(username: str, permissions: frozenset[Any]) -> str:
        user = await directory.ensure_user(
            tenant=tenant,
            company_name="Acme",
            username=username,
            email=f"{username}@example.com",
            permissions=permissions,
        )
        return await directory.create_api_key(user=user)

    return new_key


@pytest.fixture
def lines() -> Any:
    """The log lines written from here on."""
    with structlog.testing.capture_logs() as lines:
        yield lines
