import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from entrypoints.lifecycle import migrate_database
from entrypoints.settings import read_settings
from tests.postgres_server import PostgresServer, running_server

TEMPLATE = "migrated"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A server with a migrated database to copy, as long as the test run lasts."""
    with running_server() as server:
        server.execute(f"CREATE DATABASE {TEMPLATE}")
        settings = read_settings({"DATABASE_URL": server.url_of(TEMPLATE)})
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
