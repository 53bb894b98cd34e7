"""`embedded:PATH`: a PostgreSQL of our own, shared by every process that names the same path.

Two lock files keep order among processes, and die with whoever holds them: the first is held while
a server is being started or stopped, the second is shared by all users of the running server.
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
from automation_retry.adapters.embedded.cluster import Cluster, server_url
from automation_retry.adapters.embedded.errors import (
    EmbeddedPostgresError,
    FolderRefused,
    PlatformUnsupported,
)
from automation_retry.adapters.embedded.files import make_parents, open_owned, sync_folder
from automation_retry.adapters.embedded.programs import runnable_bin_dir, wheel_bin_dir

if sys.platform != "win32":
    import fcntl

_CHANGING = "automation-retry.lock"
"""Its presence also tells that the folder is ours."""
_USERS = "users.lock"
_MADE_BY_FILE_SYSTEMS = {"lost+found"}


def _resolved(path: Path) -> Path:
    """One name for one place, so that all its users meet."""
    return path.resolve()


@define
class EmbeddedPostgres:
    """The PostgreSQL whose data are under `path`; a context manager that yields its URL.

    The data are durable. Only the user who started the server can connect, and as root the account
    that PostgreSQL runs as. Every call blocks; none may overlap another on the same object. Errors
    are `EmbeddedPostgresError`.
    """

    path: Path = field(converter=_resolved)
    _cluster: Cluster | None = field(init=False, default=None)
    _usage: int | None = field(init=False, default=None)
    """The open lock file that tells others that we use the server."""

    def __attrs_post_init__(self) -> None:
        if sys.platform == "win32":
            raise PlatformUnsupported(sys.platform)

    def start(self) -> str:
        """Makes the cluster or starts it or joins its users; the connection URL for libpq.

        Calling it again is safe, and brings a server back that has crashed.
        """
        wheel_bin_dir()
        try:
            self._claim_folder()
            with self._changing():
                self._cluster = self._find_cluster()
                if self._usage is None:
                    self._usage = self._lock(_USERS, fcntl.LOCK_SH)
                try:
                    return server_url(self._cluster.ensure_running())
                except BaseException:
                    with contextlib.suppress(EmbeddedPostgresError):
                        self._leave(self._cluster)
                    raise
        except OSError as error:
            raise FolderRefused(self.path, str(error)) from error

    def stop(self) -> None:
        """Stops the server unless others use it; without effect when it was not started here."""
        if self._cluster is None or self._usage is None:
            return
        try:
            with self._changing():
                self._leave(self._cluster)
        except OSError as error:
            raise FolderRefused(self.path, str(error)) from error

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

    def _claim_folder(self) -> None:
        """Makes the folder, or recognises it as ours; touches nothing of anybody else's."""
        path = self.path
        account = database_account(self.data_dir)
        require_enterable(path, account)
        make_parents(path)
        mode = 0o711 if running_as_root() else 0o700
        try:
            path.mkdir(mode)
        except FileExistsError:
            if not path.is_dir():
                raise FolderRefused(path, "it is a file") from None
            present = {entry.name for entry in path.iterdir()} - _MADE_BY_FILE_SYSTEMS
            if present and _CHANGING not in present:
                raise FolderRefused(
                    path, "it is not empty and was not made by automation-retry; name another path"
                ) from None
        else:
            path.chmod(mode)  # whatever the umask
            sync_folder(path.parent)
        require_enterable(path, account)

    def _find_cluster(self) -> Cluster:
        account = database_account(self.data_dir)
        return Cluster(self.path, account, runnable_bin_dir(account, self.path))

    def _leave(self, cluster: Cluster) -> None:
        """Gives up our use of the server, and stops it if nobody else uses it."""
        if self._usage is not None:
            # Closed, not unlocked: a forked process that inherited the lock keeps it.
            os.close(self._usage)
            self._usage = None
        try:
            last = self._lock(_USERS, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        try:
            cluster.stop()
        finally:
            os.close(last)

    @contextlib.contextmanager
    def _changing(self) -> Iterator[None]:
        """Holds off every other process that would start or stop this server."""
        descriptor = self._lock(_CHANGING, fcntl.LOCK_EX)
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
