import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from automation_retry.entrypoints.lifecycle import migrate_database
from automation_retry.entrypoints.settings import read_settings
from tests.support.own_postgres import debian_bin_dir, running_own_postgres
from tests.support.pgbouncer import PooledServer, running_pgbouncer
from tests.support.postgres_server import PostgresServer, running_server
from tests.support.world import World, running_service

TEMPLATE = "migrated"
DATABASES = ("18", "15", "pgbouncer")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--database",
        choices=DATABASES,
        default=DATABASES[0],
        help="PostgreSQL 18 from its wheel, 15 from Debian's package, or 18 behind pgbouncer.",
    )
    parser.addoption(
        "--fuzz-seed",
        default="14",
        help="The seed of the requests that Schemathesis makes: a number, or random for new ones.",
    )


@contextmanager
def chosen_server(choice: str) -> Iterator[PostgresServer]:
    if choice == "15":
        with running_own_postgres(bin_dir=debian_bin_dir(15)) as server:
            yield PostgresServer(server.url())
        return
    with running_server() as direct:
        if choice == "pgbouncer":
            # The connections to one test's database would keep those to the next one's out.
            with running_pgbouncer(direct.url, server_idle_timeout="2") as pooler:
                yield PooledServer(direct.url, pooler)
        else:
            yield direct


@pytest.fixture(scope="session")
def postgres_server(request: pytest.FixtureRequest) -> Iterator[PostgresServer]:
    """A server with a migrated database to copy, as long as the test run lasts."""
    with chosen_server(request.config.getoption("--database")) as server:
        server.execute(f"CREATE DATABASE {TEMPLATE}")
        settings = read_settings({"DATABASE_URL": server.direct_url_of(TEMPLATE)})
        # In a thread of its own: an event loop may be running here already.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, migrate_database(settings)).result()
        yield server


@pytest.fixture(scope="session")
def shared_database_url(postgres_server: PostgresServer) -> str:
    """A migrated database for all tests that keep to tenants of their own."""
    return postgres_server.new_database(TEMPLATE)


@pytest.fixture
def database_url(postgres_server: PostgresServer) -> str:
    """A migrated database of the test's own."""
    return postgres_server.new_database(TEMPLATE)


@pytest.fixture
def empty_database_url(postgres_server: PostgresServer) -> str:
    """A database without any table."""
    return postgres_server.new_database()


@pytest.fixture(params=["memory", "postgres"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """The service on each storage; nothing relays, so that messages stay to be looked at."""
    url = "memory:" if request.param == "memory" else request.getfixturevalue("shared_database_url")
    variables = {"DATABASE_URL": url, "AUTOMATION_RETRY_RELAY": "false"}
    async with running_service(variables) as world:
        yield world


@pytest.fixture
async def postgres_world(database_url: str) -> AsyncIterator[World]:
    """The service on a database of its own, without a relay."""
    variables = {"DATABASE_URL": database_url, "AUTOMATION_RETRY_RELAY": "false"}
    async with running_service(variables) as world:
        yield world
