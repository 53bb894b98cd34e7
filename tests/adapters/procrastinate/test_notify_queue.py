"""A listener that does not listen: PostgreSQL's NOTIFY queue fills up."""

import asyncio
from contextlib import suppress
from pathlib import Path

import psycopg

from automation_retry.adapters.embedded import EmbeddedPostgres
from automation_retry.entrypoints.lifecycle import migrate_database
from automation_retry.entrypoints.settings import read_settings
from tests.support.factories import a_failed_execution
from tests.support.postgres_server import private_folder
from tests.support.world import running_service

CHANNEL = "procrastinate_any_queue_v1"


async def test_a_full_queue_is_an_outage_that_readiness_explains() -> None:
    """503; the problem names the session that holds it up, and how to end it; then it works."""
    with private_folder() as folder:
        _limit_queue(folder / "postgres")
        with EmbeddedPostgres(folder / "postgres") as url:
            await _fill_and_drain(url)


def _limit_queue(path: Path) -> None:
    with EmbeddedPostgres(path) as url, psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET max_notify_queue_pages = 64")


def _fill(connection: psycopg.Connection) -> None:
    with suppress(psycopg.errors.ProgramLimitExceeded):
        while True:
            connection.execute(
                "SELECT pg_notify(%s, n || repeat('x', 500)) FROM generate_series(1, 99) n",
                [CHANNEL],
            )


async def _fill_and_drain(url: str) -> None:
    variables = {"DATABASE_URL": url, "AUTOMATION_RETRY_RELAY": "false"}
    await migrate_database(read_settings(variables))
    async with running_service(variables) as world:
        failed = await world.add(a_failed_execution(tenant=world.tenant))
        key = await world.key()
        listener = psycopg.connect(url, autocommit=True)
        listener.execute(f"LISTEN {CHANNEL}")
        pid = listener.info.backend_pid
        listener.execute("BEGIN")  # and stays in this transaction
        with psycopg.connect(url, autocommit=True) as other:
            _fill(other)
            refused = await world.retry(failed.execution_id, key)
            readiness = await world.client.get("/readyz")
            other.execute("SELECT pg_terminate_backend(%s)", [pid])
            for _ in range(300):
                accepted = await world.retry(failed.execution_id, key)
                if accepted.is_success:
                    break
                await asyncio.sleep(0.1)  # the session has not ended yet
            ready = await world.client.get("/readyz")

    listener.close()
    assert refused.status_code == 503
    [problem] = readiness.json()["error"]["details"]["problems"]
    assert problem.startswith("PostgreSQL's NOTIFY queue is full, so no job can be deferred: ")
    assert f"SELECT pg_terminate_backend({pid}); ends it" in problem
    assert (accepted.status_code, ready.status_code) == (200, 200)
