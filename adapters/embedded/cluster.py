"""A PostgreSQL cluster under a folder of ours: created once, then started, joined and stopped.

Nothing here guards against other processes doing the same; the caller holds the lock.
"""

import os
import shutil
import subprocess
import time
from pathlib import Path

import psycopg
from attrs import frozen
from psycopg import pq

from automation_retry.adapters.embedded.account import Account, current_account
from automation_retry.adapters.embedded.configuration import (
    ROLE,
    SERVER_OPTIONS,
    write_configuration,
)
from automation_retry.adapters.embedded.errors import (
    DataVersionMismatch,
    FolderRefused,
    ProgramFailed,
    ServerUnusable,
)
from automation_retry.adapters.embedded.files import (
    open_owned,
    remove_unfinished,
    sync_folder,
    unfinished_folder,
)
from automation_retry.adapters.embedded.postmaster import Postmaster, record_of
from automation_retry.adapters.embedded.programs import POSTGRES_VERSION, remove_outdated_copies
from automation_retry.adapters.embedded.signals import signals_held
from automation_retry.adapters.embedded.sockets import (
    ensure_socket_dir,
    remove_temporary,
    server_url,
)

_START_TIMEOUT_S = 300
"""Includes crash recovery."""
STOP_WITHIN_S = 120
"""Includes a checkpoint."""
_LEAST_STOP_S = 1
_KILL_S = 6
"""In immediate shutdown, PostgreSQL kills processes that have not exited after 5 s."""
_UNRESPONSIVE_TIMEOUT_S = 10
_POLL_S = 0.05
_LOG_BYTES = 1_000_000
_ORPHANED_BACKENDS = "pre-existing shared memory block"
"""What PostgreSQL logs while backends of a killed server still execute their last statement."""

_FIND_DATABASE = "SELECT FROM pg_database WHERE datname = 'automation_retry'"
_CREATE_DATABASE = "CREATE DATABASE automation_retry"
# Their postmaster is dead, so crash recovery follows in any case: SIGKILL loses nothing.
_END_BACKENDS_OF = """
for process in /proc/[0-9]*; do
  [ "$process/cwd" -ef "$1" ] && kill "-$2" "${process#/proc/}"
done
"""
_ASKED_FOR_S = 2.0
"""Backends that ignore SIGTERM for longer, such as stopped ones, get SIGKILL."""


@frozen
class Cluster:
    """One cluster: data in `path/data`, log in `path/log`, configuration in `path/*.conf`."""

    path: Path
    account: Account
    bin_dir: Path

    @property
    def data_dir(self) -> Path:
        return self.path / "data"

    def ensure_running(self) -> Path:
        """Creates the cluster if it is missing, starts it if it is down; returns its socket folder.

        Raises:
            DataVersionMismatch: another major version wrote the data.
            FolderRefused: the path cannot hold a cluster.
            ProgramFailed: initdb or the server failed.
            ServerUnusable: a running server does not respond or rejects us.
        """
        socket_dir = self._find_running()
        if socket_dir is None:
            with signals_held():
                self._remove_leftovers()
                self._ensure_data()
                socket_dir = ensure_socket_dir(self.path, self.account)
                try:
                    self._start(socket_dir)
                except ProgramFailed:
                    remove_temporary(socket_dir, self.account)
                    raise
        self._ensure_database(socket_dir)
        return socket_dir

    def running_pid(self) -> int | None:
        """The process id of the server on these data; None when none runs."""
        postmaster = Postmaster.recorded_in(self.data_dir)
        return postmaster.pid if postmaster and postmaster.is_running(self.account) else None

    def stop(self, within_s: float = STOP_WITHIN_S) -> None:
        """Stops the server if one runs: rolls back open transactions and disconnects clients.

        Where that takes longer, it is stopped at once, and recovers at its next start.

        Raises:
            ProgramFailed: it is still running.
        """
        postmaster = Postmaster.recorded_in(self.data_dir)
        if postmaster is None:
            return
        if postmaster.is_running(self.account):
            timeout = max(_LEAST_STOP_S, round(within_s) - _KILL_S)
            stopped = self._pg_ctl("stop", "--mode=fast", f"--timeout={timeout}")
            if stopped.returncode:
                stopped = self._pg_ctl("stop", "--mode=immediate", f"--timeout={2 * _KILL_S}")
            if stopped.returncode:
                raise ProgramFailed("pg_ctl stop", self.path, stopped.stdout)
        remove_temporary(postmaster.socket_dir, self.account)

    def _find_running(self) -> Path | None:
        """The socket folder of the server that accepts connections; None when none runs.

        Waits for one that is starting up or shutting down.
        """
        started = time.monotonic()
        while postmaster := Postmaster.recorded_in(self.data_dir):
            status = postmaster.ping()
            if status == pq.Ping.OK:
                return postmaster.socket_dir
            if status != pq.Ping.REJECT and not postmaster.is_running(self.account):
                return None
            waited = time.monotonic() - started
            if waited > (_START_TIMEOUT_S if status == pq.Ping.REJECT else _UNRESPONSIVE_TIMEOUT_S):
                raise ServerUnusable(self.data_dir, postmaster.pid, "it does not answer")
            time.sleep(_POLL_S)
        return None

    def _remove_leftovers(self) -> None:
        """Removes what a killed process left behind; no server may be running."""
        remove_unfinished(self.path)
        remove_outdated_copies(self.path, self.bin_dir)
        if postmaster := Postmaster.recorded_in(self.data_dir):
            remove_temporary(postmaster.socket_dir, self.account)
        # PostgreSQL refuses to start while any process has the recorded id, whatever it runs.
        record_of(self.data_dir).unlink(missing_ok=True)

    def _ensure_data(self) -> None:
        if not self.data_dir.exists():
            self._initdb()
        try:
            version = (self.data_dir / "PG_VERSION").read_text().strip()
        except FileNotFoundError:
            raise FolderRefused(self.path, f"{self.data_dir} holds no PostgreSQL data") from None
        if version != str(POSTGRES_VERSION):
            raise DataVersionMismatch(self.data_dir, version, POSTGRES_VERSION)

    def _initdb(self) -> None:
        """Creates the data in a temporary folder and renames it: `data` is complete or missing."""
        unfinished = unfinished_folder(self.path)
        self.account.ensure_folder(unfinished, mode=0o700)
        created = self.account.run(
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
        if created.returncode:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise ProgramFailed("initdb", self.path, created.stdout)
        unfinished.rename(self.data_dir)
        sync_folder(self.path)

    def _start(self, socket_dir: Path) -> None:
        write_configuration(
            self.path,
            socket_dir=socket_dir,
            users={current_account().name, self.account.name},
        )
        # We open the log and the server inherits it: the account needs no write access to `path`.
        log = open_owned(self.path / "log", os.O_RDWR | os.O_APPEND)
        try:
            started = time.monotonic()
            while True:
                size = os.fstat(log).st_size
                start = self._pg_ctl(
                    "start",
                    f"--timeout={_START_TIMEOUT_S}",
                    f"--options={SERVER_OPTIONS}",
                    output=log,
                )
                if not start.returncode:
                    return
                logged = os.pread(log, _LOG_BYTES, size).decode(errors="replace")
                waited = time.monotonic() - started
                if _ORPHANED_BACKENDS not in logged or waited > _UNRESPONSIVE_TIMEOUT_S:
                    raise ProgramFailed("pg_ctl start", self.path, logged)
                self.account.sh(
                    _END_BACKENDS_OF, self.data_dir, "TERM" if waited < _ASKED_FOR_S else "KILL"
                )
                time.sleep(_POLL_S)
        finally:
            os.close(log)

    def _pg_ctl(
        self, action: str, *options: str, output: int = subprocess.PIPE
    ) -> subprocess.CompletedProcess[str]:
        # pg_ctl puts its arguments into a shell command without quoting them. Paths may contain any
        # character, so they are passed in the environment and relative to the working folder.
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

    def _ensure_database(self, socket_dir: Path) -> None:
        """Connects, which also shows that the server accepts us; creates a missing database."""
        try:
            with psycopg.connect(
                server_url(socket_dir, "postgres"),
                autocommit=True,
                connect_timeout=_UNRESPONSIVE_TIMEOUT_S,
            ) as connection:
                if connection.execute(_FIND_DATABASE).fetchone() is None:
                    connection.execute(_CREATE_DATABASE)
        except psycopg.Error as error:
            recorded = Postmaster.recorded_in(self.data_dir)
            raise ServerUnusable(
                self.data_dir, recorded.pid if recorded else 0, " ".join(str(error).split())
            ) from error
