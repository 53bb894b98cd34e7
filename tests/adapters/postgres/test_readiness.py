"""A PostgreSQL that may lose what it acknowledged is refused."""

import asyncio
from typing import LiteralString

import psycopg
import pytest

from tests.support.postgres_server import PostgresServer
from tests.support.world import World, running_service


async def test_a_durable_migrated_database_is_ready(postgres_world: World) -> None:
    """200."""
    answer = await postgres_world.client.get("/readyz")

    assert answer.status_code == 200
    assert answer.json() == {"data": {"status": "ready"}}


_PROBLEM = (
    "PostgreSQL runs with synchronous_commit = off, "
    "so an acknowledged retry could be lost; set it on."
)


@pytest.mark.parametrize("scope", ["DATABASE", "ROLE"])
async def test_asynchronous_commit_is_refused(
    postgres_world: World, postgres_server: PostgresServer, database_url: str, scope: str
) -> None:
    """503 that names the setting, wherever it was set, without a restart."""
    with psycopg.connect(database_url) as connection:
        name = connection.info.dbname if scope == "DATABASE" else connection.info.user
    postgres_server.execute(f'ALTER {scope} "{name}" SET synchronous_commit = off')
    try:
        answer = await postgres_world.client.get("/readyz")
    finally:
        postgres_server.execute(f'ALTER {scope} "{name}" RESET synchronous_commit')

    assert answer.status_code == 503
    assert answer.json()["error"]["details"] == {"problems": [_PROBLEM]}
    assert (await postgres_world.client.get("/readyz")).status_code == 200


async def test_sessions_from_before_a_setting_was_mended_are_replaced(
    postgres_server: PostgresServer, database_url: str
) -> None:
    """Ready again by itself, when no session is left that began with the wrong setting."""
    with psycopg.connect(database_url) as connection:
        name = connection.info.dbname
    postgres_server.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
    variables = {"DATABASE_URL": database_url, "AUTOMATION_RETRY_RELAY": "false"}
    async with running_service(variables) as world, asyncio.timeout(30):
        before = await world.client.get("/readyz")
        postgres_server.execute(f'ALTER DATABASE "{name}" RESET synchronous_commit')
        while (await world.client.get("/readyz")).status_code != 200:
            pass

    assert before.status_code == 503


_CONNECTIONS: LiteralString = """
SELECT pid FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""


async def test_a_probe_needs_no_connection_of_its_own(
    postgres_world: World, database_url: str
) -> None:
    """So a server without a free connection does not make a service unready that has some."""
    await postgres_world.client.get("/readyz")
    with psycopg.connect(database_url, autocommit=True) as connection:
        before = set(connection.execute(_CONNECTIONS))
        answers = await asyncio.gather(*[postgres_world.client.get("/readyz") for _ in range(20)])
        after = set(connection.execute(_CONNECTIONS))

    assert {answer.status_code for answer in answers} == {200}
    assert after <= before


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes"])
async def test_a_server_that_does_not_flush_is_refused(
    postgres_world: World, postgres_server: PostgresServer, setting: str
) -> None:
    """503 that names the setting of the server."""
    postgres_server.execute(f"ALTER SYSTEM SET {setting} = off")
    postgres_server.execute("SELECT pg_reload_conf()")
    try:
        answer = await postgres_world.client.get("/readyz")
        while answer.status_code == 200:  # the server applies the setting asynchronously
            answer = await postgres_world.client.get("/readyz")
    finally:
        postgres_server.execute(f"ALTER SYSTEM RESET {setting}")
        postgres_server.execute("SELECT pg_reload_conf()")

    assert f"{setting} = off" in answer.json()["error"]["details"]["problems"][0]
