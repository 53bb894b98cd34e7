"""Passwords and limits of roles change at run time."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from structlog.testing import capture_logs

from automation_retry.entrypoints.lifecycle import migrate_database
from automation_retry.entrypoints.settings import read_settings
from tests.support.factories import a_failed_execution
from tests.support.own_postgres import OwnPostgres, running_own_postgres
from tests.support.world import World, running_service

HEALED_WITHIN_S = 5
SECRET = "p@ss:w/ord"
OTHER_SECRET = "another one"


@pytest.fixture(scope="module")
def server() -> Iterator[OwnPostgres]:
    with running_own_postgres() as server:
        yield server


@pytest.fixture
def database(server: OwnPostgres) -> Iterator[str]:
    """The name of a new database; it belongs to the role `app`, which has the password."""
    server.execute(
        f"CREATE ROLE app LOGIN PASSWORD '{SECRET}'", "CREATE DATABASE automation OWNER app"
    )
    yield "automation"
    server.execute("DROP DATABASE automation WITH (FORCE)", "DROP ROLE app")


@asynccontextmanager
async def serving(url: str, **variables: str) -> AsyncIterator[World]:
    """With few connections, and a second's patience for another."""
    await migrate_database(read_settings({"DATABASE_URL": url}))
    chosen = {
        "DATABASE_URL": url,
        "AUTOMATION_RETRY_RELAY": "false",
        "AUTOMATION_RETRY_POOL_MIN_SIZE": "1",
        "AUTOMATION_RETRY_POOL_TIMEOUT_MS": "1000",
        **variables,
    }
    async with running_service(chosen) as world:
        yield world


def end_connections(server: OwnPostgres) -> None:
    server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'")


async def problem(world: World) -> str:
    answer = await world.client.get("/readyz")
    assert answer.status_code == 503
    [found] = answer.json()["error"]["details"]["problems"]
    return str(found)


async def until_ready(world: World) -> httpx.Response:
    async with asyncio.timeout(HEALED_WITHIN_S):
        while (answer := await world.client.get("/readyz")).status_code != 200:
            pass
    return answer


async def test_a_password_that_changes(server: OwnPostgres, database: str, tmp_path: Path) -> None:
    """Connections go on; new ones read the password file anew. No secret is told."""
    passwords = tmp_path / "passwords"
    line = f"*:*:*:app:{SECRET.replace(':', chr(92) + ':')}\n"
    passwords.write_text(line)
    passwords.chmod(0o600)
    url = f"{server.url('app', database=database)}?passfile={passwords}"
    async with serving(url) as world:
        key = await world.key()
        executions = [await world.add(a_failed_execution(tenant=world.tenant)) for _ in range(3)]
        with capture_logs() as lines:
            server.execute(f"ALTER ROLE app PASSWORD '{OTHER_SECRET}'")
            before = await world.retry(executions[0].execution_id, key)
            end_connections(server)
            refused = await world.retry(executions[1].execution_id, key)
            found = await problem(world)
            passwords.write_text(f"*:*:*:app:{OTHER_SECRET}\n")
            await until_ready(world)
        after = await world.retry(executions[2].execution_id, key)

    assert (before.status_code, refused.status_code, after.status_code) == (200, 503, 200)
    assert found == (
        'No connection to PostgreSQL can be opened: password authentication failed for user "app".'
    )
    said = [one["event"] for one in lines if one["event"].endswith("the database")]
    assert said == ["cannot connect to the database", "connected to the database"]
    assert SECRET not in str(lines)
    assert OTHER_SECRET not in str(lines)


async def test_a_limit_of_connections(server: OwnPostgres, database: str) -> None:
    """Requests share those that there are, and one line of the log tells the limit."""
    async with serving(server.url("app", SECRET, database)) as world:
        key = await world.key()
        executions = [await world.add(a_failed_execution(tenant=world.tenant)) for _ in range(40)]
        with capture_logs() as lines:
            server.execute("ALTER ROLE app CONNECTION LIMIT 1")
            end_connections(server)
            await until_ready(world)
            answers = await asyncio.gather(
                *[world.retry(one.execution_id, key) for one in executions]
            )
        server.execute("ALTER ROLE app CONNECTION LIMIT -1")

    assert {answer.status_code for answer in answers} == {200}
    told = [line["reason"] for line in lines if line["event"] == "cannot connect to the database"]
    assert told == ['too many connections for role "app"']


async def test_no_connection_is_left(server: OwnPostgres, database: str) -> None:
    """503 in time, with the reason in the probe and the log; then ready by itself."""
    async with serving(server.url("app", SECRET, database)) as world:
        key = await world.key()
        execution = await world.add(a_failed_execution(tenant=world.tenant))
        server.execute("ALTER ROLE app CONNECTION LIMIT 0")
        end_connections(server)
        with capture_logs() as lines:
            refused = await world.retry(execution.execution_id, key)
            found = await problem(world)
            server.execute("ALTER ROLE app CONNECTION LIMIT -1")
            await until_ready(world)
        accepted = await world.retry(execution.execution_id, key)

    reason = 'too many connections for role "app"'
    assert (refused.status_code, accepted.status_code) == (503, 200)
    assert found == f"No connection to PostgreSQL can be opened: {reason}."
    told = [line["reason"] for line in lines if line["event"] == "cannot connect to the database"]
    assert told == [reason]


async def test_a_role_that_is_made_anew(server: OwnPostgres, database: str) -> None:
    """With the same rights: sessions of the old one are replaced."""
    grant = (
        "GRANT ALL ON ALL TABLES IN SCHEMA public TO again",
        "GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO again",
    )
    create = f"CREATE ROLE again LOGIN PASSWORD '{SECRET}'"
    async with serving(server.url("app", SECRET, database)) as owner:
        key = await owner.key()
        executions = [await owner.add(a_failed_execution(tenant=owner.tenant)) for _ in range(2)]
        server.execute(create, *grant, database=database)
        variables = {"DATABASE_URL": server.url("again", SECRET, database)}
        async with running_service(variables) as world:
            before = await world.retry(executions[0].execution_id, key)
            server.execute(
                "DROP OWNED BY again", "DROP ROLE again", create, *grant, database=database
            )
            async with asyncio.timeout(HEALED_WITHIN_S):
                while (await world.retry(executions[1].execution_id, key)).status_code != 200:
                    pass
            await until_ready(world)
        server.execute("DROP OWNED BY again", "DROP ROLE again", database=database)

    assert before.status_code == 200


async def test_settings_of_the_role_that_are_mended(server: OwnPostgres, database: str) -> None:
    """Take effect without a restart, as they do in new sessions."""
    async with serving(server.url("app", SECRET, database)) as world:
        server.execute("ALTER ROLE app SET search_path = nowhere")
        end_connections(server)
        answer = await world.client.get("/readyz")
        server.execute("ALTER ROLE app RESET search_path")
        await until_ready(world)

    assert answer.status_code == 503
