"""A PostgreSQL that may lose what it acknowledged is refused."""

import psycopg
import pytest

from tests.support.postgres_server import PostgresServer
from tests.support.world import World


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
