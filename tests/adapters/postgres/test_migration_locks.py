"""Migrating beside the version before, which goes on working."""

import asyncio

import psycopg

from automation_retry.entrypoints.lifecycle import migrate_database
from automation_retry.entrypoints.settings import read_settings
from tests.support.factories import a_failed_execution
from tests.support.world import World

# As before the migration, which is the newest that changes a table in use.
NEWEST = "0006_rows_as_they_are"
UNDONE = """
DELETE FROM automation_retry_migrations WHERE name = '0006_rows_as_they_are';
ALTER TABLE automation_failed_attempts ALTER COLUMN started_at SET NOT NULL;
ALTER TABLE automation_executions ALTER COLUMN started_at SET NOT NULL,
    ADD CONSTRAINT automation_executions_logs_array CHECK (jsonb_typeof(logs) = 'array');
"""


async def test_a_migration_that_must_wait_holds_up_nobody_for_long(
    postgres_world: World, database_url: str
) -> None:
    """Behind a long transaction it gives way again and again, until that has ended."""
    world = postgres_world
    key = await world.key()
    executions = [await world.add(a_failed_execution(tenant=world.tenant)) for _ in range(25)]
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(UNDONE)
    with psycopg.connect(database_url) as reader:
        reader.execute("SELECT FROM automation_executions")
        migrating = asyncio.create_task(
            migrate_database(read_settings({"DATABASE_URL": database_url}))
        )
        answers = []
        for execution in executions:
            answers.append(await world.retry(execution.execution_id, key))
            await asyncio.sleep(0.1)
        waits = not migrating.done()
    applied = await migrating

    assert [answer.status_code for answer in answers] == [200] * len(executions)
    assert waits
    assert applied == [NEWEST]
