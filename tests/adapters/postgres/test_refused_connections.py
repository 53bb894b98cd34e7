"""PostgreSQL refuses new connections: `/readyz` and one log line say why."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import psycopg
import pytest
from structlog.testing import capture_logs

from automation_retry.adapters.postgres.refusal import reason_of
from tests.support.postgres_server import PostgresServer
from tests.support.world import EXECUTIONS, World, running_service

HEALED_WITHIN_S = 5


@pytest.fixture
def name(database_url: str) -> str:
    with psycopg.connect(database_url) as connection:
        return connection.info.dbname


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    """A service that waits half a second for a connection."""
    variables = {
        "DATABASE_URL": database_url,
        "AUTOMATION_RETRY_RELAY": "false",
        "AUTOMATION_RETRY_POOL_MIN_SIZE": "1",
        "AUTOMATION_RETRY_POOL_TIMEOUT_MS": "500",
    }
    async with running_service(variables) as world:
        yield world


@pytest.fixture
def closed(postgres_server: PostgresServer, name: str) -> Iterator[None]:
    """The database accepts no connection."""
    postgres_server.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
    yield
    postgres_server.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')


async def test_a_database_that_refuses_connections(
    closed: None,  # noqa: ARG001
    world: World,
    postgres_server: PostgresServer,
    name: str,
) -> None:
    """503 with the reason, without addresses; ready by itself when it accepts them again."""
    with capture_logs() as lines:
        answers = [await world.client.get("/readyz") for _ in range(2)]
        refused = await world.get(f"{EXECUTIONS}/{uuid4()}", "some key")
        postgres_server.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
        async with asyncio.timeout(HEALED_WITHIN_S):
            while (await world.client.get("/readyz")).status_code != 200:
                pass

    assert {answer.status_code for answer in answers} == {503}
    [problem] = answers[0].json()["error"]["details"]["problems"]
    assert problem == (
        "No connection to PostgreSQL can be opened: "
        f'database "{name}" is not currently accepting connections.'
    )
    assert refused.status_code == 503
    accepts = "connected to the database"
    said = [line["event"] for line in lines if line["event"].endswith("the database")]
    assert said in ([accepts], ["cannot connect to the database", accepts])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            (
                'connection failed: connection to server at "192.0.2.1", port 5432 failed: FATAL:  '
                'password authentication failed for user "app"'
            ),
            'password authentication failed for user "app"',
        ),
        (
            (
                'connection failed: connection to server at "192.0.2.1", port 1 failed: Connection '
                "refused\n\tIs the server running on that host and accepting TCP/IP connections?"
            ),
            "Connection refused",
        ),
        (
            (
                "connection failed: a failed: FATAL:  x\nMultiple connection attempts failed. All "
                "failures were:\n- host: 'a': connection to server at \"a\" failed: FATAL:  x\n"
                "- host: 'b': connection to server at \"b\" failed: Connection refused"
            ),
            "x; Connection refused",
        ),
        ("connection timeout expired", "connection timeout expired"),
        (
            (
                "connection failed: connection to server failed: FATAL:  unsupported startup "
                "parameter: options"
            ),
            (
                "unsupported startup parameter: options: DATABASE_URL has `options`, which the "
                "pooler refuses; use ALTER ROLE … SET …"
            ),
        ),
    ],
)
def test_reasons_have_no_addresses(text: str, reason: str) -> None:
    """What drivers and poolers say, without the host."""
    assert reason_of(psycopg.OperationalError(text)) == reason
