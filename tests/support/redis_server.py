import socket
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from attrs import define

from tests.support.server_process import HOST, ServerProcess, program


@define(eq=False)
class RedisServer(ServerProcess):
    """A Redis that has on disk what it acknowledged."""

    options: Sequence[str] = ()
    """More of the command line, as in `("--proto-max-bulk-len", "1mb")`."""

    @property
    def url(self) -> str:
        return f"redis://{HOST}:{self.port}/0"

    def command(self) -> Sequence[str]:
        return [
            program("redis-server"),
            *("--bind", HOST, "--port", str(self.port), "--dir", str(self.folder)),
            *("--appendonly", "yes", "--appendfsync", "always", "--save", ""),
            *self.options,
        ]

    def greet(self, connection: socket.socket) -> bool:
        connection.sendall(b"PING\r\n")
        # While it still reads its data from disk it says so here.
        return connection.recv(64).startswith((b"+PONG", b"-NOAUTH"))


@contextmanager
def running_redis(*options: str) -> Iterator[RedisServer]:
    """A new and empty Redis on a port of its own."""
    with tempfile.TemporaryDirectory(prefix="ar-redis-") as folder:
        server = RedisServer(Path(folder), options=options)
        try:
            server.start()
            yield server
        finally:
            server.end()
