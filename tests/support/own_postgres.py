"""A PostgreSQL that a test configures, stops and promotes; on TCP, as people run it."""

import os
import shutil
import signal
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import psycopg
from attrs import define, field

from automation_retry.adapters.embedded.account import Account, database_account, running_as_root
from automation_retry.adapters.embedded.programs import runnable_bin_dir
from tests.support.postgres_server import private_folder
from tests.support.server_process import HOST, ServerProcess

OWNER = "owner"
DEBIAN = Path("/usr/lib/postgresql")
_HBA = f"""\
local all all trust
host all {OWNER} 127.0.0.1/32 trust
host replication all 127.0.0.1/32 trust
host all all 127.0.0.1/32 scram-sha-256
"""
_SETTINGS: Mapping[str, str] = {
    "listen_addresses": f"'{HOST}'",
    "max_connections": "100",
    "log_min_error_statement": "panic",
    "wal_level": "replica",
    "hot_standby": "on",
    "max_wal_senders": "5",
    "wal_receiver_status_interval": "1",
}


def debian_bin_dir(version: int) -> Path:
    """Where Debian's package of that version has its programs."""
    return DEBIAN / str(version) / "bin"


def as_account(account: Account) -> Sequence[str]:
    """What a command begins with that root runs as another account, in the foreground."""
    if not running_as_root():
        return []
    return ["setpriv", f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups"]


@define(eq=False)
class OwnPostgres(ServerProcess):
    """The superuser `owner` needs no password; other roles do."""

    account: Account = field(kw_only=True)
    bin_dir: Path = field(kw_only=True)
    settings: dict[str, str] = field(kw_only=True, factory=lambda: {**_SETTINGS})
    """Written to the configuration at each start."""
    _paused: list[int] = field(init=False, factory=list)
    """The processes beside the first one."""

    @property
    def data_dir(self) -> Path:
        return self.folder / "data"

    def url(self, role: str = OWNER, password: str = "", database: str = "postgres") -> str:
        secret = f":{quote(password, safe='')}" if password else ""
        return f"postgresql://{role}{secret}@{HOST}:{self.port}/{database}"

    def execute(self, *statements: str, database: str = "postgres") -> None:
        with psycopg.connect(self.url(database=database), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def count(self, table: str, database: str = "postgres") -> int:
        """Its rows."""
        with psycopg.connect(self.url(database=database), autocommit=True) as connection:
            return connection.execute(f"SELECT FROM {table}".encode()).rowcount

    def new_database(self, name: str, template: str = "template1") -> str:
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(database=name)

    def initialize(self) -> None:
        """A new cluster."""
        self._run("initdb", "-D", self.data_dir, "-U", OWNER, "-A", "trust", "-E", "UTF8", "-N")

    def follow(self, primary: "OwnPostgres") -> None:
        """From the next start on it is a standby of `primary`, which runs; it has its data."""
        if self.data_dir.exists():
            shutil.rmtree(self.data_dir)
        self._run("pg_basebackup", "-D", self.data_dir, "-d", primary.url(), "-R", "-c", "fast")

    def promote(self) -> None:
        """Returns when it is writable."""
        self._run("pg_ctl", "promote", "-D", self.data_dir, "-w")

    def own(self, file: Path, *, mode: int) -> None:
        """Gives the file to the server's account."""
        if running_as_root():
            os.chown(file, self.account.uid, self.account.gid)
        file.chmod(mode)

    def reload(self) -> None:
        self._run("pg_ctl", "reload", "-D", self.data_dir)

    def command(self) -> Sequence[str]:
        settings = self.settings | {
            "port": str(self.port),
            "unix_socket_directories": f"'{self.folder}'",
        }
        (self.data_dir / "pg_hba.conf").write_text(_HBA)
        (self.data_dir / "conf").write_text(
            "".join(f"{name} = {value}\n" for name, value in settings.items())
        )
        return [
            *as_account(self.account),
            str(self.bin_dir / "postgres"),
            *("-D", str(self.data_dir), "-c", f"config_file={self.data_dir}/conf"),
        ]

    def greet(self, connection: socket.socket) -> bool:  # noqa: ARG002
        try:
            with psycopg.connect(self.url(), connect_timeout=5):
                return True
        except psycopg.OperationalError:
            return False

    def pause(self) -> None:
        """Lets it hang with all its processes."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            self._paused = [
                *(row[0] for row in connection.execute("SELECT pid FROM pg_stat_activity"))
            ]
        super().pause()
        for pid in self._paused:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)

    def resume(self) -> None:
        super().resume()
        for pid in self._paused:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        self._paused = []

    def kill(self) -> None:
        """As by a crash: `kill -9` of the server alone would leave its shared memory behind."""
        self._stop("immediate")

    def stop(self) -> None:
        """Ends it in order, with its connections."""
        self._stop("fast")

    def _stop(self, mode: str) -> None:
        process = self._running()
        self._run("pg_ctl", "stop", "-D", self.data_dir, "-m", mode)
        process.wait(30)
        self._process = None

    def _run(self, name: str, *arguments: str | Path) -> None:
        done = self.account.run(self.bin_dir / name, *arguments)
        if done.returncode:
            raise RuntimeError(f"{name}: {done.stdout[-2000:]}")


@contextmanager
def own_postgres(*, bin_dir: Path | None = None) -> Iterator[OwnPostgres]:
    """Made, not initialized; version 18 unless `bin_dir` has another one."""
    with private_folder() as folder:
        data = folder / "server"
        data.mkdir()
        account = database_account(data / "data")
        account.ensure_folder(data, mode=0o711)
        server = OwnPostgres(
            data, account=account, bin_dir=bin_dir or runnable_bin_dir(account, folder)
        )
        try:
            yield server
        finally:
            server.end()


@contextmanager
def running_own_postgres(*, bin_dir: Path | None = None) -> Iterator[OwnPostgres]:
    """A new cluster on a port of its own."""
    with own_postgres(bin_dir=bin_dir) as server:
        server.initialize()
        server.start()
        yield server


@define(eq=False)
class Pair:
    """A primary and its standby."""

    primary: OwnPostgres
    standby: OwnPostgres

    def url(self, database: str) -> str:
        """That names both, the first one first."""
        hosts = f"{HOST}:{self.primary.port},{HOST}:{self.standby.port}"
        return f"postgresql://{OWNER}@{hosts}/{database}"

    def replay(self) -> None:
        """Returns when the standby has all that the primary has committed."""
        with psycopg.connect(self.primary.url(), autocommit=True) as connection:
            [position] = connection.execute("SELECT pg_current_wal_lsn()").fetchone() or (None,)
        with psycopg.connect(self.standby.url(), autocommit=True) as connection:
            deadline = time.monotonic() + 30
            while time.monotonic() < deadline:
                [reached] = connection.execute(
                    "SELECT pg_last_wal_replay_lsn() >= %s", [position]
                ).fetchone() or (False,)
                if reached:
                    return
        raise RuntimeError("the standby does not follow")


@contextmanager
def running_pair() -> Iterator[Pair]:
    with running_own_postgres() as primary, own_postgres() as standby:
        standby.follow(primary)
        standby.start()
        yield Pair(primary, standby)
