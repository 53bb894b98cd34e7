from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from datetime import UTC, datetime
from time import monotonic_ns
from typing import Any
from uuid import UUID, uuid4

import pytest
import structlog
from attrs import evolve, frozen
from httpx import ASGITransport, AsyncClient

from automation_retry.adapters.granted_permissions import GrantedPermissions
from automation_retry.adapters.memory import MemoryStore, memory_storage
from automation_retry.application import (
    BulkRetry,
    CheckReadiness,
    DescribeCaller,
    GetExecution,
    ListExecutions,
    ListFailedAttempts,
    ListFailureGroups,
    MessageKind,
    RetryExecution,
)
from automation_retry.application.ports import Authenticator, Directory, Storage
from automation_retry.domain import AUTOMATION_EXECUTE, AUTOMATION_READ, Execution, Permission
from automation_retry.entrypoints.http import Api, RateLimiter, create_app
from tests.support.factories import a_failed_execution

EXECUTIONS = "/api/v1/automation/executions"
NewKey = Callable[[str, frozenset[Permission]], Awaitable[str]]
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
    """Of a user without permissions."""
    new_key: NewKey

    @property
    def link(self) -> str:
        return f"{EXECUTIONS}/{self.failed.execution_id}"


@pytest.fixture
def enforce() -> bool:
    """Whether the rate limit is enforced."""
    return False


@pytest.fixture
def authenticator() -> Authenticator | None:
    """Another authenticator than the one in memory."""
    return None


@pytest.fixture
async def service(enforce: bool, authenticator: Authenticator | None) -> AsyncIterator[Service]:
    store = MemoryStore()
    storage = memory_storage(_now, uuid4, store=store)
    failed = a_failed_execution()
    await storage.executions.add([failed])
    api = new_api(storage, enforce=enforce)
    if authenticator:
        api = evolve(api, authenticator=authenticator)
    app = create_app(api)
    new_key = _keys(storage.directory, failed.tenant)
    async with AsyncClient(transport=ASGITransport(app), base_url="http://service") as client:
        yield Service(
            client=client,
            store=store,
            failed=failed,
            key=await new_key("both", frozenset({AUTOMATION_EXECUTE, AUTOMATION_READ})),
            readers_key=await new_key("reader", frozenset({AUTOMATION_READ})),
            outsiders_key=await new_key("outsider", frozenset()),
            new_key=new_key,
        )


def new_api(storage: Storage, *, enforce: bool = False) -> Api:
    authorizer = GrantedPermissions()
    return Api(
        authenticator=storage.authenticator,
        authorizer=authorizer,
        retry_execution=RetryExecution(authorizer, storage.new_unit_of_work, _now, uuid4),
        bulk_retry=BulkRetry(
            authorizer, storage.new_unit_of_work, storage.kept_answers, _now, uuid4
        ),
        get_execution=GetExecution(authorizer, storage.executions),
        list_executions=ListExecutions(authorizer, storage.queries),
        list_failed_attempts=ListFailedAttempts(authorizer, storage.executions),
        list_failure_groups=ListFailureGroups(authorizer, storage.queries, _now),
        describe_caller=DescribeCaller(storage.directory),
        readiness=CheckReadiness(
            storage=storage.readiness,
            schemas=[storage.schema],
            outbox=storage.outbox,
            worker=storage.readiness,
            brokers=dict.fromkeys(MessageKind, "memory"),
            delivers=True,
            warn_after_s=60,
        ),
        rate_limiter=RateLimiter(enforce=enforce, monotonic_ns=monotonic_ns, clock=_now),
        new_id=uuid4,
    )


def _keys(directory: Directory, tenant: UUID) -> NewKey:
    async def new_key(username: str, permissions: frozenset[Permission]) -> str:
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
