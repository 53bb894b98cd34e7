"""Server processes: started, measured and terminated."""

import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

import psutil
from attrs import frozen

from tests.support.command import environment

_PATIENCE: Final = 60.0
_POLL: Final = 0.002
_IDLE_WINDOW: Final = 0.5
_IDLE_SHARE: Final = 0.1
_MIB: Final = 1024 * 1024


class ServerFailed(Exception):
    """The server did not start; the message is the end of its output."""


@frozen
class ServerProcess:
    """A running server: one process, or one with worker processes as its children."""

    process: psutil.Process
    ready_after_s: float
    """From its start to the first time that it was ready."""
    rss_when_ready_mib: float

    def cpu_s(self) -> float:
        """CPU time so far, of user and system, that of its children included."""
        processes = [self.process, *self.process.children(recursive=True)]
        every = [process.cpu_times() for process in processes]
        return float(sum(times.user + times.system for times in every))

    def wait_until_idle(self) -> None:
        """Returns when it uses hardly any CPU time.

        One with several processes answers before the last of them has started.

        Raises:
            ServerFailed: it is busy for a minute.
        """
        deadline = time.perf_counter() + _PATIENCE
        before, now = -1.0, self.cpu_s()
        while now - before > _IDLE_SHARE * _IDLE_WINDOW:
            if time.perf_counter() > deadline:
                raise ServerFailed(f"it is busy for {_PATIENCE} s without any load")
            time.sleep(_IDLE_WINDOW)
            before, now = now, self.cpu_s()

    def rss_mib(self) -> float:
        """Resident memory of the first process now."""
        return rss_mib(self.process)


def rss_mib(process: psutil.Process) -> float:
    return float(process.memory_info().rss) / _MIB


@contextmanager
def serving(
    command: Sequence[str], variables: Mapping[str, str], ready: Callable[[], bool]
) -> Iterator[ServerProcess]:
    """Runs a server until the end of the context; its output goes to a file, as a log would."""
    with tempfile.TemporaryFile(prefix="ar-bench-log-") as log:
        began = time.perf_counter()
        with subprocess.Popen(
            command, env=environment(variables), stdout=log, stderr=subprocess.STDOUT
        ) as process:
            try:
                while not ready():
                    if process.poll() is not None or time.perf_counter() - began > _PATIENCE:
                        log.seek(0)
                        raise ServerFailed(log.read()[-4000:].decode(errors="replace"))
                    time.sleep(_POLL)
                taken = time.perf_counter() - began
                running = psutil.Process(process.pid)
                yield ServerProcess(running, taken, rss_mib(running))
            finally:
                process.terminate()
                try:
                    process.wait(timeout=_PATIENCE)
                except subprocess.TimeoutExpired:
                    process.kill()
