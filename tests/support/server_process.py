"""A broker's process: the same port and the same data, however often it is ended and started."""

import os
import random
import signal
import socket
import subprocess
import sysconfig
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from attrs import define, field

HOST = "127.0.0.1"

# Below the ports that Linux gives to outgoing connections, so that a client that keeps trying while
# the broker is down does not connect to itself; so are those 10000 above, where Redis puts the bus
# of a cluster.
_PORTS = range(10_240, 22_768)
_PATIENCE = 30.0
"""Seconds in which a broker has to start or end."""


def reserved_port() -> socket.socket:
    """Bound to a port of 127.0.0.1 that no other process gets until it is closed.

    It does not listen, so connections are refused, and a broker started on the port may listen.
    """
    for port in random.sample(_PORTS, 1000):
        reservation = socket.socket()
        try:
            # Brokers set this option too, so they may share the port; whoever has not set it when
            # it binds, as here, may not.
            reservation.bind((HOST, port))
            reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        except OSError:
            reservation.close()
        else:
            return reservation
    raise RuntimeError("no port is free")


def free_port() -> int:
    """A port of 127.0.0.1 that is free now; any process may take it at any time."""
    with reserved_port() as reservation:
        port: int = reservation.getsockname()[1]
        return port


def program(name: str) -> str:
    """The path of a program that a wheel brought into this virtual environment."""
    return str(Path(sysconfig.get_path("scripts")) / name)


@define(eq=False)
class ServerProcess(ABC):
    """Made stopped. `start` returns when the broker answers, the others when the process is gone.

    All of them block, for a fraction of a second as a rule.
    """

    folder: Path
    """Where the broker keeps its data and its log."""
    _reservation: socket.socket = field(factory=reserved_port, init=False)
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @abstractmethod
    def command(self) -> Sequence[str]:
        """The broker in the foreground, on `port`, with its data in `folder`."""

    @abstractmethod
    def greet(self, connection: socket.socket) -> bool:
        """Whether the broker on the other end is ready for clients."""

    @property
    def port(self) -> int:
        """The same while it is down."""
        port: int = self._reservation.getsockname()[1]
        return port

    @property
    def pid(self) -> int:
        """Of the running broker."""
        return self._running().pid

    def start(self) -> None:
        assert self._process is None, "it is running"
        log = self.folder / "server.log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                self.command(), cwd=self.folder, stdout=output, stderr=subprocess.STDOUT
            )
        deadline = time.monotonic() + _PATIENCE
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"{self.command()[0]} did not start:\n{log.read_text()[-2000:]}")
            time.sleep(0.01)

    def stop(self) -> None:
        """Ends it in order; what it acknowledged is kept."""
        self.resume()
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Ends it at once, as kill -9 does."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Lets it hang: it takes connections and bytes, and does nothing with them."""
        self._running().send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED)  # its threads take a moment

    def resume(self) -> None:
        self._running().send_signal(signal.SIGCONT)

    def end(self) -> None:
        """For the end of a test, whatever state the broker is in; it cannot be started again."""
        if self._process is not None:
            self.kill()
        self._reservation.close()

    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "it is not running"
        return self._process

    def _end(self, with_signal: signal.Signals) -> None:
        process = self._running()
        process.send_signal(with_signal)
        process.wait(_PATIENCE)
        self._process = None

    def _answers(self) -> bool:
        try:
            with socket.create_connection((HOST, self.port), timeout=1) as connection:
                return self.greet(connection)
        except OSError:
            return False
