"""The server process on a data folder, as recorded in its `postmaster.pid`."""

import os
import sys
from pathlib import Path

from attrs import frozen
from psycopg import pq

from automation_retry.adapters.embedded.account import Account
from automation_retry.adapters.embedded.sockets import server_url

_IS_POSTMASTER_OF = '[ "/proc/$1/cwd" -ef "$2" ]'


@frozen
class Postmaster:
    """The content of `postmaster.pid`, which remains when the server is killed."""

    data_dir: Path
    pid: int
    socket_dir: Path | None
    """None briefly, until the server has created its socket."""

    @classmethod
    def recorded_in(cls, data_dir: Path) -> "Postmaster | None":
        try:
            lines = record_of(data_dir).read_bytes().split(b"\n")
            pid = int(lines[0])
        except (FileNotFoundError, ValueError):
            return None
        directory = lines[4] if len(lines) > 5 else b""  # noqa: PLR2004 - the fifth line, complete
        return cls(data_dir, pid, Path(os.fsdecode(directory)) if directory else None)

    def is_running(self, account: Account) -> bool:
        """Whether the process is a server on these data, and not a later one with the same id."""
        if sys.platform != "linux":
            named = account.run("/bin/ps", "-o", "comm=", "-p", str(self.pid))
            return "postgres" in named.stdout
        # As its account: root in a container may be denied access to other users' processes.
        same = account.sh(_IS_POSTMASTER_OF, str(self.pid), self.data_dir)
        return same.returncode == 0

    def ping(self) -> int:
        """A `pq.Ping`: `REJECT` while the server starts up or shuts down."""
        if self.socket_dir is None:
            return pq.Ping.NO_RESPONSE
        url = server_url(self.socket_dir, "postgres") + "&connect_timeout=5"
        return pq.PGconn.ping(url.encode())


def record_of(data_dir: Path) -> Path:
    return data_dir / "postmaster.pid"
