"""A PostgreSQL cluster under a folder of ours: made once, started, found again, stopped.

Nothing here is safe against another process doing the same; the caller holds the lock.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

import psycopg
from attrs import frozen
from psycopg import pq

from automation_retry.adapters.embedded.account import Account, current_account
from automation_retry.adapters.embedded.errors import (
    DataVersionMismatch,
    FolderRefused,
    ProgramFailed,
    ServerUnusable,
)
from automation_retry.adapters.embedded.files import (
    open_owned,
    remove_unfinished,
    replace_text,
    sync_folder,
    unfinished_folder,
)
from automation_retry.adapters.embedded.programs import POSTGRES_VERSION, remove_outdated_copies

ROLE = "automation_retry"
DATABASE = "automation_retry"

_PORT = 5432
_SOCKET = f".s.PGSQL.{_PORT}"
_SOCKET_PATH_LIMIT = 107 if sys.platform == "linux" else 103
_TEMPORARY_SOCKET_DIR = "automation-retry-"
_START_SECONDS = 300
"""How long a recovery after a crash may take."""
_STOP_SECONDS = 120
_SILENT_SECONDS = 10
_POLL_SECONDS = 0.05
_LOG_BYTES = 1_000_000
_TAIL_LINES = 20
_LEFT_BEHIND = "pre-existing shared memory block"
"""What PostgreSQL says while backends of a killed server go on with their last statement."""

_SETTINGS = """\
# Written by automation-retry at each start; ALTER SYSTEM settings come on top of these.
listen_addresses = ''
port = {port}
unix_socket_directories = {socket_dir}
unix_socket_permissions = 0700
max_connections = 100
fsync = on
full_page_writes = on
synchronous_commit = on
timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] '
# A statement's error goes to whoever sent it. In this log it would show tenants' values, and the
# log would grow with every error that they cause.
log_min_messages = log
log_min_error_statement = panic
log_error_verbosity = terse
log_checkpoints = off
"""
_HBA = "local all all peer map=embedded\n"
_RULES = "-c config_file=postgresql.conf -c hba_file=pg_hba.conf -c ident_file=pg_ident.conf"
_FIND_DATABASE = "SELECT FROM pg_database WHERE datname = 'automation_retry'"
_CREATE_DATABASE = "CREATE DATABASE automation_retry"
_IS_POSTMASTER_OF = '[ "/proc/$1/cwd" -ef "$2" ]'
_END_PROCESSES_OF = """
for process in /proc/[0-9]*; do
  [ "$process/cwd" -ef "$1" ] && kill "${process#/proc/}"
done
"""


@frozen
class Postmaster:
    """What a server writes into `postmaster.pid`; it stays there when the server is killed."""

    pid: int
    socket_dir: Path | None
    """None for an instant, until the server has made its socket."""

    @classmethod
    def recorded_in(cls, data_dir: Path) -> "Postmaster | None":
        try:
            lines = (data_dir / "postmaster.pid").read_bytes().split(b"\n")
            pid = int(lines[0])
        except (FileNotFoundError, ValueError):
            return None
        directory = lines[4] if len(lines) > 5 else b""  # noqa: PLR2004 - the fifth line, complete
        return cls(pid, Path(os.fsdecode(directory)) if directory else None)


@frozen
class Cluster:
    """One cluster: its data in `path/data`, its log in `path/log`, its rules in `path/*.conf`."""

    path: Path
    account: Account
    bin_dir: Path

    @property
    def data_dir(self) -> Path:
        return self.path / "data"

    def ensure_running(self) -> Path:
        """Makes the cluster where it is missing, starts it where it is down; its socket folder."""
        socket_dir = self.answering_at()
        if socket_dir is None:
            self._remove_leftovers()
            self._require_data()
            socket_dir = self._socket_dir()
            try:
                self._start(socket_dir)
            except ProgramFailed:
                self._remove_temporary(socket_dir)
                raise
        self._require_database(socket_dir)
        return socket_dir

    def answering_at(self) -> Path | None:
        """The socket folder of the server that answers; None when none runs.

        Waits for one that is starting up or shutting down.
        """
        started = time.monotonic()
        while postmaster := Postmaster.recorded_in(self.data_dir):
            answer = _ping(postmaster.socket_dir) if postmaster.socket_dir else pq.Ping.NO_RESPONSE
            if answer == pq.Ping.OK:
                return postmaster.socket_dir
            if answer != pq.Ping.REJECT and not self._is_running(postmaster):
                return None
            waited = time.monotonic() - started
            if waited > (_START_SECONDS if answer == pq.Ping.REJECT else _SILENT_SECONDS):
                raise ServerUnusable(self.data_dir, postmaster.pid, "it does not answer")
            time.sleep(_POLL_SECONDS)
        return None

    def running_pid(self) -> int | None:
        """The process id of the server on these data; None when none runs."""
        postmaster = Postmaster.recorded_in(self.data_dir)
        return postmaster.pid if postmaster and self._is_running(postmaster) else None

    def stop(self) -> None:
        """Stops the server, if one runs: open transactions are rolled back, clients cut off."""
        postmaster = Postmaster.recorded_in(self.data_dir)
        if postmaster is None:
            return
        if self._is_running(postmaster):
            stopped = self._pg_ctl("stop", "--mode=fast", f"--timeout={_STOP_SECONDS}")
            if stopped.returncode:
                raise ProgramFailed("pg_ctl stop", _tail(stopped.stdout))
        self._remove_temporary(postmaster.socket_dir)

    def _is_running(self, postmaster: Postmaster) -> bool:
        """Whether the process is a server on these data, not a later one with the same number."""
        if sys.platform != "linux":
            named = self.account.run("/bin/ps", "-o", "comm=", "-p", str(postmaster.pid))
            return "postgres" in named.stdout
        # As its account: root in a container may not look into other users' processes.
        same = self.account.sh(_IS_POSTMASTER_OF, str(postmaster.pid), self.data_dir)
        return same.returncode == 0

    def _remove_leftovers(self) -> None:
        """Removes what a process that was killed left behind; no server may be running."""
        remove_unfinished(self.path)
        remove_outdated_copies(self.path, self.bin_dir)
        if postmaster := Postmaster.recorded_in(self.data_dir):
            self._remove_temporary(postmaster.socket_dir)
        # PostgreSQL would take any process that has this number by now for its predecessor.
        (self.data_dir / "postmaster.pid").unlink(missing_ok=True)

    def _require_data(self) -> None:
        if not self.data_dir.exists():
            self._initdb()
        try:
            version = (self.data_dir / "PG_VERSION").read_text().strip()
        except FileNotFoundError:
            raise FolderRefused(self.path, f"{self.data_dir} holds no PostgreSQL data") from None
        if version != str(POSTGRES_VERSION):
            raise DataVersionMismatch(self.data_dir, version, POSTGRES_VERSION)

    def _initdb(self) -> None:
        """Makes the data beside their place: once there, they are complete."""
        unfinished = unfinished_folder(self.path)
        self.account.own(unfinished, mode=0o700)
        made = self.account.run(
            self.bin_dir / "initdb",
            f"--pgdata={unfinished}",
            f"--username={ROLE}",
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--data-checksums",
            "--auth-local=peer",
            "--auth-host=reject",
            "--no-instructions",
        )
        if made.returncode:
            shutil.rmtree(unfinished)
            raise ProgramFailed("initdb", _tail(made.stdout))
        unfinished.rename(self.data_dir)
        sync_folder(self.path)

    def _socket_dir(self) -> Path:
        """`path/socket`, or a private temporary folder where that cannot be a socket's address."""
        socket_dir = self.path / "socket"
        if _is_address(socket_dir):
            self.account.own(socket_dir, mode=0o700)
            _remove_socket(socket_dir)
            return socket_dir
        for parent in (tempfile.gettempdir(), "/tmp"):  # noqa: S108 - the name is made by mkdtemp
            socket_dir = Path(tempfile.mkdtemp(prefix=_TEMPORARY_SOCKET_DIR, dir=parent))
            self.account.own(socket_dir, mode=0o700)
            if _is_address(socket_dir) and not self.account.sh('cd "$1"', socket_dir).returncode:
                return socket_dir
            socket_dir.rmdir()
        raise FolderRefused(
            self.path, "it is too long for a socket, and no temporary folder can hold one"
        )

    def _remove_temporary(self, socket_dir: Path | None) -> None:
        """Removes the socket's folder if it was a temporary one.

        Cautiously, as the account itself wrote down its name: only a folder of its own by a name
        that we give, and in it nothing but the socket.
        """
        if socket_dir is None or not socket_dir.name.startswith(_TEMPORARY_SOCKET_DIR):
            return
        with contextlib.suppress(OSError):
            if socket_dir.lstat().st_uid == self.account.uid:
                _remove_socket(socket_dir)
                socket_dir.rmdir()

    def _start(self, socket_dir: Path) -> None:
        self._write_rules(socket_dir)
        # The log is opened by us and inherited, so that the account needs no rights in `path`.
        log = open_owned(self.path / "log", os.O_RDWR | os.O_APPEND)
        try:
            started = time.monotonic()
            while True:
                size = os.fstat(log).st_size
                started_up = self._pg_ctl(
                    "start", f"--timeout={_START_SECONDS}", f"--options={_RULES}", output=log
                )
                if not started_up.returncode:
                    return
                said = os.pread(log, _LOG_BYTES, size).decode(errors="replace")
                if _LEFT_BEHIND not in said or time.monotonic() - started > _SILENT_SECONDS:
                    raise ProgramFailed("pg_ctl start", _tail(said))
                self.account.sh(_END_PROCESSES_OF, self.data_dir)
                time.sleep(_POLL_SECONDS)
        finally:
            os.close(log)

    def _write_rules(self, socket_dir: Path) -> None:
        """Writes settings and access rules: peer authentication for our own accounts only."""
        users = {current_account().name, self.account.name}
        ident = [f"embedded {_quoted(user)} {ROLE}\n" for user in sorted(users)]
        # A list of one: a name in double quotes, inside a text in single quotes.
        directories = _quoted(str(socket_dir)).replace("\\", "\\\\").replace("'", "''")
        replace_text(
            self.path / "postgresql.conf",
            _SETTINGS.format(port=_PORT, socket_dir=f"'{directories}'"),
        )
        replace_text(self.path / "pg_hba.conf", _HBA)
        replace_text(self.path / "pg_ident.conf", "".join(ident))

    def _pg_ctl(
        self, action: str, *options: str, output: int = subprocess.PIPE
    ) -> subprocess.CompletedProcess[str]:
        # pg_ctl puts its arguments into a shell command without quoting them. The paths, which may
        # hold anything, therefore go by the environment and relative to the current folder.
        return self.account.run(
            self.bin_dir / "pg_ctl",
            action,
            "--silent",
            "--wait",
            *options,
            cwd=self.path,
            env={"PGDATA": str(self.data_dir)},
            output=output,
        )

    def _require_database(self, socket_dir: Path) -> None:
        """Connects, for a server that we may not use is worth nothing; makes the database."""
        try:
            with psycopg.connect(
                server_url(socket_dir, "postgres"), autocommit=True, connect_timeout=_SILENT_SECONDS
            ) as connection:
                if connection.execute(_FIND_DATABASE).fetchone() is None:
                    connection.execute(_CREATE_DATABASE)
        except psycopg.Error as error:
            recorded = Postmaster.recorded_in(self.data_dir)
            raise ServerUnusable(
                self.data_dir, recorded.pid if recorded else 0, str(error).strip()
            ) from error


def server_url(socket_dir: Path, database: str = DATABASE) -> str:
    """The connection URL for libpq, with the socket's folder percent-encoded."""
    host = quote(os.fsencode(socket_dir), safe="")
    return f"postgresql://{ROLE}@/{database}?host={host}&port={_PORT}"


def _ping(socket_dir: Path) -> int:
    url = server_url(socket_dir, "postgres") + "&connect_timeout=5"
    return pq.PGconn.ping(url.encode())


def _is_address(socket_dir: Path) -> bool:
    """Whether libpq and the kernel take the folder for a socket's (a comma separates hosts)."""
    name = os.fsencode(socket_dir / _SOCKET)
    return len(name) <= _SOCKET_PATH_LIMIT and not set(name) & set(b",\n")


def _remove_socket(socket_dir: Path) -> None:
    """Removes a dead server's socket, whose lock file PostgreSQL would take for a living one's.

    It goes by the process number alone, and where nothing reaps orphans, as in many containers, a
    killed server keeps its number.
    """
    for name in (_SOCKET, f"{_SOCKET}.lock"):
        (socket_dir / name).unlink(missing_ok=True)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _tail(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-_TAIL_LINES:])
