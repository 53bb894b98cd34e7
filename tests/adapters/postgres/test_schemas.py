"""The search_path chooses the schema; databases that cannot hold ours are refused in one line."""

from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest

from automation_retry.application import SchemaRefused
from automation_retry.entrypoints.lifecycle import migrate_database
from automation_retry.entrypoints.settings import read_settings
from tests.support.factories import a_failed_execution
from tests.support.postgres_server import PostgresServer
from tests.support.world import running_service


def of_schema(url: str, *schemas: str) -> str:
    return f"{url}&options=-csearch_path%3D{'%2C'.join(schemas)}"


async def migrated(url: str) -> None:
    await migrate_database(read_settings({"DATABASE_URL": url}))


async def test_the_search_path_chooses_the_schema(empty_database_url: str) -> None:
    """Two services in one database, each with its tables, know nothing of each other."""
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA one; CREATE SCHEMA other")
    for schema in ("one", "other"):
        await migrated(of_schema(empty_database_url, schema))
    async with (
        running_service({"DATABASE_URL": of_schema(empty_database_url, "one")}) as one,
        running_service({"DATABASE_URL": of_schema(empty_database_url, "other")}) as other,
    ):
        key = await one.key()
        execution = await one.add(a_failed_execution(tenant=one.tenant))
        unknown = await other.retry(execution.execution_id, key)
        retried = await one.retry(execution.execution_id, key)
        ready = await other.client.get("/readyz")
    with psycopg.connect(empty_database_url) as connection:
        jobs = connection.execute("SELECT FROM one.procrastinate_jobs").rowcount

    assert (unknown.status_code, retried.status_code, ready.status_code) == (401, 200, 200)
    assert jobs == 2


async def test_procrastinates_tables_in_another_schema(empty_database_url: str) -> None:
    """Not ready: an engine might look at other jobs."""
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA ours")
    await migrated(of_schema(empty_database_url, "public"))
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        tables = connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " AND relkind = 'r' AND relname NOT LIKE '%procrastinate%'"
        ).fetchall()
        for (table,) in tables:
            connection.execute(f"ALTER TABLE {table} SET SCHEMA ours".encode())
        role = connection.info.user
    url = of_schema(empty_database_url, "ours", "public")
    async with running_service({"DATABASE_URL": url}) as world:
        answer = await world.client.get("/readyz")

    assert answer.json()["error"]["details"]["problems"] == [
        (
            "The search_path finds this service's tables in the schema ours and Procrastinate's in "
            f"public; set one for which both are in one schema, as by ALTER ROLE {role} SET "
            "search_path = ours; and migrate again."
        )
    ]


async def test_a_search_path_without_a_schema_is_refused(empty_database_url: str) -> None:
    """Named as it is."""
    with pytest.raises(SchemaRefused, match=r"search_path \(nowhere\) exists"):
        await migrated(of_schema(empty_database_url, "nowhere"))


@pytest.fixture
def role(postgres_server: PostgresServer) -> Iterator[str]:
    name = f"app_{uuid4().hex}"
    postgres_server.execute(f"CREATE ROLE {name}")
    yield name
    postgres_server.execute(f"DROP ROLE {name}")


async def test_a_role_that_may_not_create_tables_is_refused(
    empty_database_url: str, role: str
) -> None:
    """As each role since PostgreSQL 15, in the schema public."""
    with pytest.raises(SchemaRefused, match=f"GRANT CREATE ON SCHEMA public TO {role};"):
        await migrated(f"{empty_database_url}&options=-crole%3D{role}")


@pytest.mark.parametrize("encoding", ["LATIN1", "WIN1251", "EUC_JP"])
async def test_an_encoding_that_cannot_hold_every_text_is_refused(
    postgres_server: PostgresServer, encoding: str
) -> None:
    """Nothing is created."""
    name = f"test_{uuid4().hex}"
    postgres_server.execute(
        f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'"
    )
    url = postgres_server.url_of(name)
    with pytest.raises(SchemaRefused, match=f"encoding {encoding}, .* ENCODING 'UTF8'"):
        await migrated(url)
    with psycopg.connect(url) as connection:
        tables = connection.execute("SELECT FROM pg_tables WHERE schemaname = 'public'").rowcount

    assert not tables


async def test_an_encoding_that_holds_any_text(postgres_server: PostgresServer) -> None:
    """SQL_ASCII keeps what it is given, which is UTF-8."""
    name = f"test_{uuid4().hex}"
    postgres_server.execute(
        f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'"
    )
    await migrated(postgres_server.url_of(name))
    async with running_service({"DATABASE_URL": postgres_server.url_of(name)}) as world:
        key = await world.key()
        execution = await world.add(
            a_failed_execution(tenant=world.tenant, error_message="Größe ✓")
        )
        answer = await world.retry(execution.execution_id, key)
        attempts = await world.get(
            f"/api/v1/automation/executions/{execution.execution_id}/attempts", key
        )

    assert answer.json()["data"]["trigger_data"] == {
        "ticket": {"number": 4711, "tags": ["vip", "Zürich"]}
    }
    assert attempts.json()["data"][0]["error_message"] == "Größe ✓"
