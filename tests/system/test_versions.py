"""The servers that `make test-system` runs the contracts and end-to-end tests on."""

from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest

from tests.conftest import DATABASES, chosen_server
from tests.support.postgres_server import PostgresServer


@pytest.fixture(params=DATABASES)
def chosen(request: pytest.FixtureRequest) -> Iterator[tuple[str, PostgresServer]]:
    with chosen_server(request.param) as server:
        yield request.param, server


def test_the_chosen_server_is_used(chosen: tuple[str, PostgresServer]) -> None:
    """Of that version, or by way of a pooler, whose process ids are its own."""
    name, server = chosen
    with closing(psycopg.connect(server.new_database(), autocommit=True)) as connection:
        version = connection.info.server_version // 10_000
        row = connection.execute("SELECT pg_backend_pid()").fetchone()
        pooled = row != (connection.info.backend_pid,)

    assert version == (15 if name == "15" else 18)
    assert pooled == (name == "pgbouncer")
