"""One embedded PostgreSQL, durable as it is shipped, with databases of failed executions."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, LiteralString
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
from attrs import frozen
from psycopg.rows import DictRow, dict_row
from psycopg.sql import SQL, Identifier

from automation_retry.adapters.embedded import EmbeddedPostgres
from automation_retry.adapters.postgres.sql.indexes import EXECUTION_INDEXES
from automation_retry.domain import AUTOMATION_EXECUTE, AUTOMATION_READ
from automation_retry.entrypoints.lifecycle import migrate_database, open_container
from automation_retry.entrypoints.settings import read_settings
from tests.benchmarks.failed_rows import ADD_ROWS, TENANT, row_parameters
from tests.support.postgres_server import PostgresServer, private_folder

API_KEY: Final = "ar_benchmarks_benchmarks_benchmarks_benchmark"
_TEMPLATE = "benchmark_template"
_DRAIN_SECONDS = 300.0

_EMPTY: LiteralString = """
TRUNCATE automation_executions, automation_failed_attempts, automation_outbox,
         automation_idempotency_keys, procrastinate_jobs CASCADE
"""
_DROP_KEY: LiteralString = (
    "ALTER TABLE automation_executions DROP CONSTRAINT automation_executions_pkey"
)
_CREATE_KEY: LiteralString = """
ALTER TABLE automation_executions
ADD CONSTRAINT automation_executions_pkey PRIMARY KEY (tenant, execution_id)
"""


@frozen
class Arena:
    """A migrated database with one API key, `API_KEY`, whose user may execute and read.

    Every contender works on the same tables, with the same indexes.
    """

    url: str
    bin_dir: Path
    """Where pgbench is."""

    def connection(self) -> psycopg.Connection[DictRow]:
        """A connection whose statements commit themselves."""
        return psycopg.connect(self.url, autocommit=True, row_factory=dict_row)

    def execute(self, statement: LiteralString, parameters: Any = None) -> list[DictRow]:
        """Runs one statement that commits itself; its rows, if it has any."""
        with self.connection() as connection:
            cursor = connection.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []

    def reset(self, count: int) -> None:
        """Leaves exactly `count` failed executions and nothing else, on disk and analysed."""
        self.execute(_EMPTY)
        self.execute(ADD_ROWS, row_parameters(count))
        self.settle()

    @contextmanager
    def without_indexes(self) -> Iterator[None]:
        """Executions are added faster without indexes, which are built at the end."""
        with self.connection() as connection:
            for index in EXECUTION_INDEXES:
                connection.execute(SQL("DROP INDEX {}").format(Identifier(index.name)))
            connection.execute(_DROP_KEY)
            yield
            connection.execute(_CREATE_KEY)
            for index in EXECUTION_INDEXES:
                connection.execute(index.create())

    def settle(self) -> None:
        """Runs the maintenance that PostgreSQL would otherwise do during a measurement."""
        self.execute(
            "VACUUM ANALYZE automation_executions, automation_failed_attempts, automation_outbox"
        )
        self.execute("CHECKPOINT")

    def wait_until_relayed(self) -> None:
        """Returns when the outbox is empty: at once where a commit delivers by itself."""
        deadline = time.monotonic() + _DRAIN_SECONDS
        while self.execute("SELECT 1 FROM automation_outbox LIMIT 1"):
            if time.monotonic() > deadline:
                raise TimeoutError(f"the outbox is not empty after {_DRAIN_SECONDS} s")
            time.sleep(0.05)


@frozen
class Arenas:
    """Creates arenas in one server."""

    server: PostgresServer
    bin_dir: Path

    def new(self) -> Arena:
        """An arena without executions, in a database of its own."""
        name = f"arena_{uuid4().hex}"
        self.server.execute(f'CREATE DATABASE "{name}" TEMPLATE "{_TEMPLATE}" STRATEGY file_copy')
        return Arena(self.server.url_of(name), self.bin_dir)

    def drop(self, arena: Arena) -> None:
        """Drops its database, and closes the connections to it."""
        name = urlsplit(arena.url).path.removeprefix("/")
        self.server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    def server_version(self) -> str:
        """PostgreSQL's, as in `18.1`."""
        with psycopg.connect(self.server.url) as connection:
            return str(connection.info.parameter_status("server_version"))


@contextmanager
def running_arenas() -> Iterator[Arenas]:
    """A new server; its data is removed at the end."""
    with private_folder() as folder:
        embedded = EmbeddedPostgres(folder / "postgres")
        with embedded as url:
            server = PostgresServer(url)
            server.execute(f"CREATE DATABASE {_TEMPLATE}")
            asyncio.run(_prepare(server.url_of(_TEMPLATE)))
            yield Arenas(server, embedded.bin_dir)


async def _prepare(url: str) -> None:
    settings = read_settings({"DATABASE_URL": url})
    await migrate_database(settings)
    async with open_container(settings) as container:
        directory = container.storage().directory
        user = await directory.ensure_user(
            tenant=TENANT,
            company_name="Contoso",
            username="operator",
            email="operator@contoso.example",
            permissions=frozenset({AUTOMATION_EXECUTE, AUTOMATION_READ}),
        )
        await directory.create_api_key(user=user, api_key=API_KEY)
