"""One real PostgreSQL for the whole test run, and databases in it."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg
from attrs import frozen

from automation_retry.adapters.embedded import EmbeddedPostgres


@contextmanager
def private_folder() -> Iterator[Path]:
    """A new folder that the database's own account can enter, as pytest's under root is not."""
    folder = Path(tempfile.mkdtemp(prefix="ar-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@frozen
class PostgresServer:
    """A running server and the URL of its first database."""

    url: str

    def new_database(self, template: str = "template0") -> str:
        """The URL of a new database, empty or a copy of `template`."""
        name = f"test_{uuid4().hex}"
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.url_of(name)

    def execute(self, statement: str) -> None:
        """Runs a statement of the tests' own, outside a transaction."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement)

    def url_of(self, database: str) -> str:
        return self.direct_url_of(database)

    def direct_url_of(self, database: str) -> str:
        """Without a pooler; a pooler's connection keeps a database from being copied."""
        return urlunsplit(urlsplit(self.url)._replace(path=f"/{database}"))


@contextmanager
def running_server() -> Iterator[PostgresServer]:
    with private_folder() as folder, EmbeddedPostgres(folder / "postgres") as url:
        yield PostgresServer(url)
