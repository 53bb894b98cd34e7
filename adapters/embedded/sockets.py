"""The folder of the server's Unix socket, and the URL that connects through it."""

import contextlib
import os
import sys
import tempfile
from pathlib import Path
from urllib.parse import quote

from automation_retry.adapters.embedded.account import Account
from automation_retry.adapters.embedded.configuration import PORT, ROLE
from automation_retry.adapters.embedded.errors import FolderRefused

DATABASE = "automation_retry"

_SOCKET = f".s.PGSQL.{PORT}"
_SOCKET_PATH_LIMIT = 107 if sys.platform == "linux" else 103
_TEMPORARY_PREFIX = "automation-retry-"


def server_url(socket_dir: Path, database: str = DATABASE) -> str:
    """The connection URL for libpq, with the socket's folder percent-encoded."""
    host = quote(os.fsencode(socket_dir), safe="")
    return f"postgresql://{ROLE}@/{database}?host={host}&port={PORT}"


def ensure_socket_dir(path: Path, account: Account) -> Path:
    """`path/socket`, or a private temporary folder where that is no valid socket address.

    No server may be running on `path`.

    Raises:
        FolderRefused: the path is too long, and so are the temporary folders.
    """
    socket_dir = path / "socket"
    if _is_address(socket_dir):
        account.ensure_folder(socket_dir, mode=0o700)
        _remove_socket(socket_dir)
        return socket_dir
    for parent in (tempfile.gettempdir(), "/tmp"):  # noqa: S108 - mkdtemp chooses the name
        socket_dir = Path(tempfile.mkdtemp(prefix=_TEMPORARY_PREFIX, dir=parent))
        account.ensure_folder(socket_dir, mode=0o700)
        if _is_address(socket_dir) and not account.sh('cd "$1"', socket_dir).returncode:
            return socket_dir
        socket_dir.rmdir()
    raise FolderRefused(path, "it is too long for a socket, and no temporary folder can hold one")


def remove_temporary(socket_dir: Path | None, account: Account) -> None:
    """Removes a temporary socket folder of a server that has stopped; any other is left alone.

    The name comes from a file that the account can write. It is trusted only if it has our prefix
    and the folder belongs to the account and holds nothing but the socket.
    """
    if socket_dir is None or not socket_dir.name.startswith(_TEMPORARY_PREFIX):
        return
    with contextlib.suppress(OSError):
        if socket_dir.lstat().st_uid == account.uid:
            _remove_socket(socket_dir)
            socket_dir.rmdir()


def _is_address(socket_dir: Path) -> bool:
    """Whether libpq and the kernel accept the folder for a socket (a comma separates hosts)."""
    name = os.fsencode(socket_dir / _SOCKET)
    return len(name) <= _SOCKET_PATH_LIMIT and not set(name) & set(b",\n")


def _remove_socket(socket_dir: Path) -> None:
    """Removes a dead server's socket and lock file, which PostgreSQL may take for a live server's.

    It only checks the process id, and where nothing reaps orphans, as in many containers, a killed
    server keeps its process id.
    """
    for name in (_SOCKET, f"{_SOCKET}.lock"):
        (socket_dir / name).unlink(missing_ok=True)
