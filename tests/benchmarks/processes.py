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
_MIB: Final = 1024 * 1024


class ServerFailed(Exception):
    """The server did not start; the message is the end of its output."""


@frozen
class ServerProcess:
    """A running server that is one process."""

    process: psutil.Process
    ready_after_s: float
    """From its start to the first time that it was ready."""
    rss_when_ready_mib: float

    def cpu_s(self) -> float:
        """CPU time so far, of user and system."""
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def rss_mib(self) -> float:
        """Resident memory now."""
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
