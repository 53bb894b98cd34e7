"""pgbouncer before a PostgreSQL, with its defaults but for what a test changes."""

import shutil
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg
from attrs import define, field, frozen
from psycopg.conninfo import conninfo_to_dict

from automation_retry.adapters.embedded.account import Account, database_account
from tests.support.own_postgres import as_account
from tests.support.postgres_server import PostgresServer, private_folder
from tests.support.server_process import HOST, ServerProcess

PROGRAM = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
TRANSACTION: Mapping[str, str] = {"pool_mode": "transaction", "default_pool_size": "20"}


@define(eq=False)
class PgBouncer(ServerProcess):
    """Lets everybody in as the role of the server's URL, to every database."""

    account: Account = field(kw_only=True)
    server_url: str = field(kw_only=True)
    settings: dict[str, str] = field(kw_only=True)

    def url_of(self, database: str) -> str:
        role = conninfo_to_dict(self.server_url)["user"]
        return f"postgresql://{role}@{HOST}:{self.port}/{database}"

    def before(self, url: str) -> str:
        """The URL of the same database by way of this pooler."""
        return self.url_of(urlsplit(url).path.removeprefix("/"))

    def command(self) -> Sequence[str]:
        assert PROGRAM is not None, "pgbouncer is missing: apt-get install pgbouncer"
        settings = {
            "listen_addr": HOST,
            "listen_port": str(self.port),
            "unix_socket_dir": "",
            "auth_type": "any",
            **self.settings,
        }
        server = conninfo_to_dict(self.server_url)
        path = self.folder / "pgbouncer.ini"
        path.write_text(
            "[databases]\n"
            f"* = host={server['host']} port={server['port']} user={server['user']}\n"
            "[pgbouncer]\n" + "".join(f"{name} = {value}\n" for name, value in settings.items())
        )
        return [*as_account(self.account), PROGRAM, str(path)]

    def greet(self, connection: socket.socket) -> bool:  # noqa: ARG002
        database = conninfo_to_dict(self.server_url)["dbname"]
        try:
            with psycopg.connect(self.url_of(str(database)), connect_timeout=5):
                return True
        except psycopg.OperationalError:
            return False


@frozen
class PooledServer(PostgresServer):
    """A server whose databases are used by way of a pooler."""

    pooler: PgBouncer

    def url_of(self, database: str) -> str:
        return self.pooler.url_of(database)


@contextmanager
def running_pgbouncer(server_url: str, **settings: str) -> Iterator[PgBouncer]:
    """In transaction mode unless the settings say otherwise."""
    with private_folder() as folder:
        account = database_account(folder / "data")
        pooler = PgBouncer(
            folder, account=account, server_url=server_url, settings={**TRANSACTION, **settings}
        )
        try:
            pooler.start()
            yield pooler
        finally:
            pooler.end()
