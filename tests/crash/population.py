"""The tenants, keys and executions at the beginning of a round."""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID, uuid4

from attrs import frozen

from automation_retry.application.ports import Storage
from automation_retry.domain import AUTOMATION_EXECUTE, AUTOMATION_READ
from tests.crash.records import ExecutionKey, error_of
from tests.support.factories import a_failed_execution

_TENANTS = 3
_KEYS = 2
_PROBES = 3
_PERMISSIONS = frozenset({AUTOMATION_EXECUTE, AUTOMATION_READ})


@frozen(kw_only=True)
class Population:
    """Tenants with keys and failed executions, whose ids are the same in every tenant."""

    keys: Mapping[UUID, Sequence[str]]
    """The API keys of each tenant whose executions are retried."""
    users: Mapping[UUID, UUID]
    """The tenant of each user."""
    executions: Sequence[ExecutionKey]
    probes: Sequence[ExecutionKey]
    """Executions to retry at the end, to see whether messages are delivered again."""
    canary: UUID
    """A tenant whose keys are not used; has executions of the same ids, and others."""
    hidden: Sequence[UUID]
    """Ids of executions that only the canary has."""


async def populate(storage: Storage, executions: int) -> Population:
    """Creates a population with this number of executions for each tenant."""
    canary, *tenants = [uuid4() for _ in range(_TENANTS + 1)]
    users: dict[UUID, UUID] = {}
    keys: dict[UUID, list[str]] = {}
    for tenant in (canary, *tenants):
        user = await storage.directory.ensure_user(
            tenant=tenant,
            company_name="Contoso",
            username="operator",
            email="operator@contoso.example",
            permissions=_PERMISSIONS,
        )
        users[user.user_id] = tenant
        keys[tenant] = [await storage.directory.create_api_key(user=user) for _ in range(_KEYS)]
    del keys[canary]
    shared = [uuid4() for _ in range(executions)]
    hidden = [uuid4() for _ in range(_KEYS)]
    probes = [ExecutionKey(tenants[0], uuid4()) for _ in range(_PROBES)]
    retried = [ExecutionKey(tenant, id_) for id_ in shared for tenant in tenants]
    untouched = [ExecutionKey(canary, id_) for id_ in (*shared, *hidden)]
    await _add(storage, [*retried, *probes, *untouched])
    return Population(
        keys=keys,
        users=users,
        executions=retried,
        probes=probes,
        canary=canary,
        hidden=hidden,
    )


async def _add(storage: Storage, keys: Iterable[ExecutionKey]) -> None:
    await storage.executions.add(
        [
            a_failed_execution(
                tenant=key.tenant, execution_id=key.execution_id, error_message=error_of(0)
            )
            for key in keys
        ]
    )
