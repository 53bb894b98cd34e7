"""`AUTOMATION_RETRY_STATEMENTS_BY_TENANT`, for databases that are sharded by tenant."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, LiteralString
from uuid import UUID, uuid4

from dependency_injector import providers
from psycopg.rows import DictRow

from automation_retry.adapters.postgres import Database
from automation_retry.adapters.postgres.sql import identity
from automation_retry.application.ports import ValidKey
from automation_retry.domain import AUTOMATION_EXECUTE, Principal
from automation_retry.entrypoints.container import Container
from automation_retry.entrypoints.lifecycle import opened
from automation_retry.entrypoints.settings import read_settings
from tests.support.factories import a_failed_execution


class RecordingDatabase(Database):
    """Keeps what is executed."""

    def __init__(self, url: str, **options: Any) -> None:
        super().__init__(url, **options)
        self.executed: list[tuple[LiteralString, Mapping[str, Any]]] = []

    async def fetch(self, statement: LiteralString, parameters: Mapping[str, Any]) -> list[DictRow]:
        self.executed.append((statement, parameters))
        return await super().fetch(statement, parameters)

    async def fetch_once(
        self, statement: LiteralString, parameters: Mapping[str, Any], *, shared: bool = False
    ) -> list[DictRow]:
        self.executed.append((statement, parameters))
        return await super().fetch_once(statement, parameters, shared=shared)


def tenants_in(parameters: Mapping[str, Any], tenants: frozenset[UUID]) -> frozenset[UUID]:
    """Those that the parameters name."""
    text = json.dumps(parameters, default=lambda value: str(getattr(value, "obj", value)))
    return frozenset(tenant for tenant in tenants if str(tenant) in text)


@asynccontextmanager
async def recording(url: str, by_tenant: str) -> AsyncIterator[tuple[Container, RecordingDatabase]]:
    settings = read_settings(
        {"DATABASE_URL": url, "AUTOMATION_RETRY_STATEMENTS_BY_TENANT": by_tenant}
    )
    database = RecordingDatabase(url)
    container = Container(settings=settings)
    container.database.override(providers.Object(database))
    async with opened(container, relay=False):
        yield container, database


async def retried_together(
    container: Container, database: RecordingDatabase, tenants: frozenset[UUID]
) -> None:
    """Authenticates, reads and retries for all tenants at once, several times each.

    Some one by one, others in bulk.
    """
    directory = container.storage().directory
    work = []
    for tenant in sorted(tenants):
        user = await directory.ensure_user(
            tenant=tenant,
            company_name="Contoso",
            username="operator",
            email="operator@contoso.example",
            permissions=frozenset({AUTOMATION_EXECUTE}),
        )
        key = await directory.create_api_key(user=user)
        work.append((key, [a_failed_execution(tenant=tenant) for _ in range(4)]))
    for _, executions in work:
        await container.storage().executions.add(executions)
    database.executed.clear()

    async def retry(key: str, execution_id: UUID) -> Principal:
        principal = (await container.storage().authenticator.authenticate(key)).principal
        await container.retry_execution()(principal, str(execution_id))
        return principal

    principals = await asyncio.gather(
        *[retry(key, one.execution_id) for key, executions in work for one in executions]
    )
    assert {principal.tenant for principal in principals} == tenants

    more = {one: [a_failed_execution(tenant=one.tenant) for _ in range(4)] for one in principals}
    for executions in more.values():
        await container.storage().executions.add(executions)
    answers = await asyncio.gather(
        *[
            container.bulk_retry()(
                one, [execution.execution_id for execution in executions], idempotency_key="bulk"
            )
            for one, executions in more.items()
        ]
    )
    assert {len(answer.retried) for answer in answers} == {4}


async def test_statements_name_one_tenant(database_url: str) -> None:
    """But for the one that finds the tenant of a key."""
    tenants = frozenset(uuid4() for _ in range(6))
    async with recording(database_url, "true") as (container, database):
        await retried_together(container, database, tenants)
        executed = database.executed

    assert executed
    for statement, parameters in executed:
        expected = 0 if statement == identity.TENANTS_OF_KEY else 1
        assert len(tenants_in(parameters, tenants)) == expected
    assert any("INSERT INTO automation_failed_attempts" in one for one, _ in executed)


async def test_without_the_setting_tenants_share_statements(database_url: str) -> None:
    """Which is what the setting is about."""
    tenants = frozenset(uuid4() for _ in range(6))
    async with recording(database_url, "false") as (container, database):
        await retried_together(container, database, tenants)
        most = max(len(tenants_in(parameters, tenants)) for _, parameters in database.executed)

    assert most > 1


async def test_a_key_is_found_by_its_digest_in_its_tenant(database_url: str) -> None:
    """Unknown keys, wrong tenants and inactive users are refused as ever."""
    async with recording(database_url, "true") as (container, database):
        await retried_together(container, database, frozenset({uuid4()}))
        directory = container.storage().directory
        [stored] = await directory.api_keys()
        user = (await directory.find_user("operator"))[0]
        key = await directory.create_api_key(user=user, usage_limit=1)
        authenticator = container.storage().authenticator

        async def use(api_key: str, tenant: UUID | None) -> ValidKey:
            valid = await authenticator.authenticate(api_key, tenant)
            await authenticator.count_use(valid.principal)
            return valid

        outcomes = [
            await asyncio.gather(use(*credentials), return_exceptions=True)
            for credentials in (
                (key, uuid4()),
                ("unknown", None),
                (key, user.tenant),
                (key, None),
            )
        ]
        revoked = await directory.revoke_api_key(stored.api_key_id)

    reasons = [getattr(one, "reason", None) for [one] in outcomes]
    assert revoked
    assert isinstance(outcomes[2][0], ValidKey)
    assert [reason and reason.partition(" (")[0] for reason in reasons] == [
        "it belongs to another tenant",
        "there is no such key",
        None,
        "its usage limit is reached",
    ]
