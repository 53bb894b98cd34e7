"""The README's roles have the rights that they need and no others."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from uuid import UUID

import psycopg
import pytest
from attrs import frozen

from automation_retry.domain import ExecutionStatus
from tests.support import command
from tests.support.factories import a_failed_execution
from tests.support.own_postgres import OwnPostgres, running_own_postgres
from tests.support.readme_engines import Engines, apply, create_engine_tables, engines
from tests.support.world import World, running_service
from tests.test_readme import code

MIGRATE, SERVE, ENGINE = "automation_migrate", "automation_serve", "automation_engine"


@frozen
class Roles:
    """A database that the README's roles use, each with a password of its own."""

    server: OwnPostgres
    database: str

    def url(self, role: str) -> str:
        return self.server.url(role, f"of {role}", self.database)

    @asynccontextmanager
    async def engines(self, broker: str) -> AsyncIterator[Engines]:
        """The service as the one role, the engines as the other."""
        serving = {"DATABASE_URL": self.url(SERVE)}
        async with engines(broker, self.url(ENGINE), settings=serving) as beside_service:
            yield beside_service


@pytest.fixture(scope="module")
def server() -> Iterator[OwnPostgres]:
    with running_own_postgres() as server:
        apply(server.url(), code("sql", "-- roles\n"))
        for role in (MIGRATE, SERVE, ENGINE):
            server.execute(f"ALTER ROLE {role} PASSWORD 'of {role}'")
        # In `template1`, as the right to create tables is one of each database.
        apply(server.url(database="template1"), f"GRANT CREATE ON SCHEMA public TO {MIGRATE}")
        yield server


@pytest.fixture(scope="module")
def roles(server: OwnPostgres) -> Roles:
    """Migrated and granted by the owner of the tables."""
    server.new_database("automation")
    roles = Roles(server, "automation")
    migrated = command.run("migrate", DATABASE_URL=roles.url(MIGRATE))
    assert migrated.returncode == 0, migrated.stderr
    create_engine_tables(roles.url(MIGRATE))
    for role in (SERVE, ENGINE):
        apply(roles.url(MIGRATE), code("sql", f"-- rights of {role}\n"))
    return roles


def by_command(roles: Roles, *arguments: str) -> str:
    """What it prints when the owner of the tables calls it."""
    ended = command.run(*arguments, DATABASE_URL=roles.url(MIGRATE))
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def new_key(roles: Roles, user: str, *options: str) -> tuple[UUID, str]:
    """A tenant and a key in it."""
    created = by_command(roles, "user", "create", user)
    key = by_command(roles, "api-key", "create", "--user", user, *options)
    return UUID(created.split()[1]), key.strip()


@asynccontextmanager
async def as_owner(roles: Roles) -> AsyncIterator[World]:
    owner = {"DATABASE_URL": roles.url(MIGRATE), "AUTOMATION_RETRY_RELAY": "false"}
    async with running_service(owner) as world:
        yield world


@pytest.mark.parametrize("broker", ["procrastinate", "redis"])
async def test_each_role_can_do_its_work(roles: Roles, broker: str) -> None:
    """Without a warning; `redis` takes the way through the outbox."""
    tenant, key = await asyncio.to_thread(new_key, roles, broker, "--usage-limit", "5")
    async with as_owner(roles) as owner, roles.engines(broker) as as_roles:
        failed = await owner.add(a_failed_execution(tenant=tenant))
        ready = await as_roles.world.client.get("/readyz")
        with as_roles.running():
            answers = [
                await as_roles.world.retry(failed.execution_id, key, idempotency_key="k")
                for _ in range(2)
            ]
            completed = await as_roles.when(failed, ExecutionStatus.COMPLETED)
        attempts = await as_roles.world.get(
            f"/api/v1/automation/executions/{failed.execution_id}/attempts", key
        )

    assert ready.json() == {"data": {"status": "ready"}}
    assert [answer.status_code for answer in answers] == [200, 200]
    assert completed.retry_count == 1
    assert attempts.json()["pagination"]["total"] == 1


@pytest.mark.parametrize("broker", ["procrastinate", "redis"])
async def test_an_engine_s_role_may_report_failures_and_redeliver(
    roles: Roles, broker: str
) -> None:
    tenant, key = await asyncio.to_thread(new_key, roles, f"failing-{broker}")
    async with as_owner(roles) as owner, roles.engines(broker) as as_roles:
        execution = await owner.add(a_failed_execution(tenant=tenant))
        with as_roles.running("    raise ValueError\n"):
            answer = await as_roles.world.retry(execution.execution_id, key)
            failed = await as_roles.when(execution, ExecutionStatus.FAILED)

    assert answer.status_code == 200
    assert failed.error_message == "Set aside after 2 tries: ValueError"


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        (SERVE, "CREATE TABLE a_table ()"),
        (SERVE, "ALTER TABLE automation_outbox ADD COLUMN a integer"),
        (SERVE, "DROP TABLE automation_failed_attempts"),
        (SERVE, "TRUNCATE automation_idempotency_keys"),
        (SERVE, "DELETE FROM automation_executions"),
        (SERVE, "UPDATE automation_executions SET trigger_data = '{}'"),
        (SERVE, "DELETE FROM automation_failed_attempts"),
        (SERVE, "SELECT hashed_password FROM users"),
        (SERVE, "UPDATE api_keys SET usage_limit = NULL"),
        (SERVE, "INSERT INTO user_roles SELECT FROM users"),
        (SERVE, "UPDATE procrastinate_jobs SET args = '{}'"),
        (SERVE, "SELECT FROM engine_jobs"),
        (ENGINE, "CREATE TABLE a_table ()"),
        (ENGINE, "DROP TABLE engine_jobs"),
        (ENGINE, "DELETE FROM automation_executions"),
        (ENGINE, "UPDATE automation_executions SET retry_count = 0"),
        (ENGINE, "SELECT FROM api_keys"),
        (ENGINE, "SELECT FROM automation_outbox"),
        (MIGRATE, "CREATE ROLE a_role"),
    ],
)
def test_what_a_role_does_not_need_is_refused(roles: Roles, role: str, statement: str) -> None:
    """By PostgreSQL."""
    with (
        psycopg.connect(roles.url(role)) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(statement.encode())
