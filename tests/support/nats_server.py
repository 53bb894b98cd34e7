import json
import socket
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from attrs import define

from tests.support.server_process import HOST, ServerProcess, program


@define(eq=False)
class NatsServer(ServerProcess):
    """A nats-server with JetStream."""

    config: str = ""
    """More of its configuration file, as in `max_payload: 64KB`."""

    @property
    def url(self) -> str:
        return f"nats://{HOST}:{self.port}"

    def command(self) -> Sequence[str]:
        path = self.folder / "nats.conf"
        store = json.dumps(str(self.folder))
        path.write_text(
            f'listen: "{HOST}:{self.port}"\njetstream {{ store_dir: {store} }}\n{self.config}\n'
        )
        return [program("nats-server"), "--config", str(path)]

    def greet(self, connection: socket.socket) -> bool:
        connection.sendall(b'CONNECT {"verbose":false}\r\nPING\r\n')
        return connection.makefile("rb").readline().startswith(b"INFO ")


@contextmanager
def running_nats(config: str = "") -> Iterator[NatsServer]:
    """A new and empty nats-server on a port of its own."""
    with tempfile.TemporaryDirectory(prefix="ar-nats-") as folder:
        server = NatsServer(Path(folder), config=config)
        try:
            server.start()
            yield server
        finally:
            server.end()
