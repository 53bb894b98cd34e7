"""`embedded:PATH`: a PostgreSQL server shared by all processes that use the same path.

Two lock files coordinate processes; a process that dies releases both. The first is held
exclusively while the server is started or stopped, the second is shared by all its users.
"""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from attrs import define, field

from automation_retry.adapters.embedded.account import (
    database_account,
    require_enterable,
    running_as_root,
)
from automation_retry.adapters.embedded.cluster import STOP_WITHIN_S, Cluster
from automation_retry.adapters.embedded.errors import (
    EmbeddedPostgresError,
    FolderRefused,
    PlatformUnsupported,
    is_plain,
)
from automation_retry.adapters.embedded.files import make_parents, open_owned, sync_folder
from automation_retry.adapters.embedded.programs import runnable_bin_dir, wheel_bin_dir
from automation_retry.adapters.embedded.signals import signals_held
from automation_retry.adapters.embedded.sockets import server_url

if sys.platform != "win32":
    import fcntl

_START_STOP_LOCK = "automation-retry.lock"
"""It also marks the folder as ours."""
_USERS_LOCK = "users.lock"
_FILE_SYSTEM_ENTRIES = {"lost+found"}


def _resolved(path: Path) -> Path:
    """One name for one folder, so that all its users share the same locks."""
    return path.resolve()


@define
class EmbeddedPostgres:
    """The PostgreSQL server whose data are under `path`; a context manager that yields its URL.

    The data are durable. Only the user who started the server can connect, and the account that
    PostgreSQL runs as. Every call blocks; calls on one object must not overlap.

    Raises:
        EmbeddedPostgresError: by `start` and `stop`; its subclasses say why.
    """

    path: Path = field(converter=_resolved)
    _cluster: Cluster | None = field(init=False, default=None)
    _usage: int | None = field(init=False, default=None)
    """Descriptor of the users' lock, held while we use the server."""

    def __attrs_post_init__(self) -> None:
        if sys.platform == "win32":
            raise PlatformUnsupported(sys.platform)

    def start(self) -> str:
        """Creates, starts or joins the server; returns the connection URL for libpq.

        Idempotent; a server that has crashed is started again.
        """
        wheel_bin_dir()
        try:
            self._ensure_folder()
            with self._start_stop_lock():
                self._cluster = self._find_cluster()
                if self._usage is None:
                    self._usage = self._lock(_USERS_LOCK, fcntl.LOCK_SH)
                try:
                    return server_url(self._cluster.ensure_running())
                except BaseException:
                    with contextlib.suppress(EmbeddedPostgresError):
                        self._release(self._cluster)
                    raise
        except OSError as error:
            raise FolderRefused.because_of(self.path, error) from error

    def stop(self, *, within_s: float = STOP_WITHIN_S) -> None:
        """Stops the server unless others use it; does nothing if this object did not start it.

        When the time is over the server is stopped as by a crash, which loses nothing that it has
        acknowledged: the next start takes longer.
        """
        if self._cluster is None or self._usage is None:
            return
        try:
            with self._start_stop_lock():
                self._release(self._cluster, within_s)
        except OSError as error:
            raise FolderRefused.because_of(self.path, error) from error

    def __enter__(self) -> str:
        return self.start()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def data_dir(self) -> Path:
        return self.path / "data"

    @property
    def bin_dir(self) -> Path:
        """The folder with PostgreSQL's programs (psql, pgbench); after a start, those in use."""
        return self._cluster.bin_dir if self._cluster else wheel_bin_dir()

    @property
    def postmaster_pid(self) -> int | None:
        """The server's process id; None when it does not run or was never started here."""
        return self._cluster.running_pid() if self._cluster else None

    def _ensure_folder(self) -> None:
        """Creates the folder, or recognises it as ours; changes nothing else."""
        path = self.path
        if not is_plain(str(path)):
            raise FolderRefused(
                path,
                "PostgreSQL's own files cannot name a path with control characters or with bytes "
                "that are not UTF-8; use another path",
            )
        account = database_account(self.data_dir)
        require_enterable(path, account)
        make_parents(path)
        mode = 0o711 if running_as_root() else 0o700
        try:
            path.mkdir(mode)
        except FileExistsError:
            if not path.is_dir():
                raise FolderRefused(path, "it is a file") from None
            present = {entry.name for entry in path.iterdir()} - _FILE_SYSTEM_ENTRIES
            if present and _START_STOP_LOCK not in present:
                raise FolderRefused(
                    path,
                    "it is not empty and was not created by automation-retry; use another path",
                ) from None
        else:
            path.chmod(mode)  # whatever the umask
            sync_folder(path.parent)
        require_enterable(path, account)

    def _find_cluster(self) -> Cluster:
        account = database_account(self.data_dir)
        return Cluster(self.path, account, runnable_bin_dir(account, self.path))

    def _release(self, cluster: Cluster, within_s: float = STOP_WITHIN_S) -> None:
        """Releases our use of the server; its last user stops it."""
        with signals_held():
            if self._usage is not None:
                # Closed rather than unlocked: a forked process that inherited the lock keeps it.
                os.close(self._usage)
                self._usage = None
            try:
                last = self._lock(_USERS_LOCK, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            try:
                cluster.stop(within_s)
            finally:
                os.close(last)

    @contextlib.contextmanager
    def _start_stop_lock(self) -> Iterator[None]:
        """Prevents other processes from starting or stopping this server."""
        descriptor = self._lock(_START_STOP_LOCK, fcntl.LOCK_EX)
        try:
            yield
        finally:
            os.close(descriptor)

    def _lock(self, name: str, operation: int) -> int:
        descriptor = open_owned(self.path / name, os.O_RDWR)
        try:
            fcntl.flock(descriptor, operation)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor
