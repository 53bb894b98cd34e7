"""Tables, columns and functions that somebody dropped after they were migrated."""

import asyncio

import psycopg
import pytest

from automation_retry.application import SchemaRefused
from automation_retry.entrypoints.lifecycle import migrate_database
from automation_retry.entrypoints.settings import read_settings
from tests.support.factories import a_failed_execution
from tests.support.world import World, running_service


def execute(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


async def migrate(url: str) -> list[str]:
    return [*await migrate_database(read_settings({"DATABASE_URL": url}))]


async def retried(world: World) -> int:
    execution = await world.add(a_failed_execution(tenant=world.tenant))
    return (await world.retry(execution.execution_id, await world.key())).status_code


@pytest.mark.parametrize(
    ("drop", "missing"),
    [
        ("TABLE automation_retry_migrations", "0001_identity, 0002_executions,"),
        ("TABLE automation_outbox", "automation_outbox of 0002_executions"),
        ("TABLE automation_failed_attempts", "automation_failed_attempts of 0002_executions"),
        (
            "TABLE automation_idempotency_keys",
            "automation_idempotency_keys of 0003_idempotency_keys",
        ),
        (
            "TABLE automation_delivery_failures",
            "automation_delivery_failures of 0005_delivery_status",
        ),
        ("TABLE role_permissions", "role_permissions of 0001_identity"),
        ("TABLE automation_executions", "automation_executions of 0002_executions"),
        (
            "FUNCTION automation_retry_failure_pattern CASCADE",
            "automation_retry_failure_group(uuid, text), automation_retry_failure_pattern(text) of",
        ),
        (
            "FUNCTION automation_retry_failed_at(timestamp, timestamptz) CASCADE",
            "automation_retry_failed_at(timestamp, timestamptz) of 0007_failure_groups",
        ),
    ],
)
async def test_what_was_lost_is_told_and_created_again(
    database_url: str, drop: str, missing: str
) -> None:
    """`/readyz` names it, `migrate` creates it, and a retry works again."""
    execute(database_url, f"DROP {drop}")
    async with running_service({"DATABASE_URL": database_url}) as world:
        not_ready = (await world.client.get("/readyz")).json()["error"]["details"]["problems"]
        await migrate(database_url)
        status = await retried(world)
        ready = (await world.client.get("/readyz")).status_code

    assert not_ready[0].startswith(f"The database lacks {missing}")
    assert not_ready[0].endswith("run `automation-retry migrate`.")
    assert (status, ready) == (200, 200)


async def test_a_lost_column_of_a_table_that_exists_is_told(database_url: str) -> None:
    """Nobody but the operator knows what was in it."""
    execute(database_url, "ALTER TABLE automation_outbox DROP COLUMN body")
    async with running_service({"DATABASE_URL": database_url}) as world:
        not_ready = (await world.client.get("/readyz")).json()["error"]["details"]["problems"]
    with pytest.raises(SchemaRefused) as error:
        await migrate(database_url)

    assert not_ready == [
        (
            "The database lacks automation_outbox.body of 0002_executions; "
            "run `automation-retry migrate`."
        )
    ]
    assert str(error.value).startswith("automation_outbox.body is missing although its table")


@pytest.mark.parametrize("table", ["jobs", "events", "workers", "periodic_defers"])
async def test_a_lost_table_of_procrastinate_is_told(database_url: str, table: str) -> None:
    """Its own migrations cannot create it again; what is left is for the operator to judge."""
    execute(database_url, f"DROP TABLE procrastinate_{table} CASCADE")
    async with running_service({"DATABASE_URL": database_url}) as world:
        not_ready = (await world.client.get("/readyz")).json()["error"]["details"]["problems"]
    with pytest.raises(SchemaRefused) as error:
        await migrate(database_url)

    assert f"Procrastinate's procrastinate_{table} is missing although" in not_ready[0]
    assert str(error.value) in not_ready


async def test_migrations_that_were_applied_can_be_applied_again(database_url: str) -> None:
    """Beside a running service, and they keep what the tables hold."""
    async with running_service({"DATABASE_URL": database_url}) as world:
        before = await retried(world)
        execute(database_url, "DROP TABLE automation_retry_migrations")
        applied, during = await asyncio.gather(migrate(database_url), retried(world))
    with psycopg.connect(database_url) as connection:
        archived = connection.execute("SELECT FROM automation_failed_attempts").rowcount

    assert len(applied) == 8
    assert (before, during, archived) == (200, 200, 2)
