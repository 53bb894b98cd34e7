"""Keeps service processes running: one that dies is replaced."""

import asyncio
import json
import multiprocessing
import os
import re
import signal
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.context import ForkServerProcess

from attrs import define, field

from tests.crash.log_fate import LogFate
from tests.crash.service_process import Program, run

# Service processes are forked from one that has imported everything: imports take longer than all
# else that a process does before it is killed. Drivers are imported only when they are chosen.
_processes = multiprocessing.get_context("forkserver")
_PRELOADED = (
    "__main__",
    "tests.crash.service_process",
    "automation_retry.adapters.procrastinate.broker",
    "automation_retry.adapters.redis.broker",
    "automation_retry.adapters.nats.broker",
)
_processes.set_forkserver_preload([*_PRELOADED])

_READY = re.compile(r'"event": ?"(serving|relaying)"')
_REPORTED_LINES = 30
_LONGEST_LINE = 1 << 20
_PATIENCE = 30.0
"""Seconds in which a process has to exit after SIGTERM."""


def _nothing() -> None:
    pass


def _first_process() -> None:
    process = _processes.Process(target=_nothing, daemon=True)
    process.start()
    process.join()


async def prepare_processes() -> None:
    """Returns when the process that all others are forked from is ready."""
    await asyncio.to_thread(_first_process)


@define(eq=False)
class RunningProcess:
    """One process, from its start to its end."""

    program: Program
    _process: ForkServerProcess
    _log: asyncio.StreamReader
    _transport: asyncio.ReadTransport
    next_in: float | None = field(default=None, init=False)
    """Seconds until the next one starts, set when this one is killed; None until then."""
    ready: bool = field(default=False, init=False)
    """Whether it has logged that it serves or relays: from then on SIGTERM makes it exit 0."""
    last_lines: deque[str] = field(factory=lambda: deque(maxlen=_REPORTED_LINES), init=False)

    @classmethod
    async def start(cls, next_program: Callable[[], Program]) -> "RunningProcess":
        read, write = _processes.Pipe(duplex=False)
        with read, write:
            log = asyncio.StreamReader(limit=_LONGEST_LINE)
            pipe = os.fdopen(os.dup(read.fileno()), "rb", buffering=0)
            transport, _ = await asyncio.get_running_loop().connect_read_pipe(
                lambda: asyncio.StreamReaderProtocol(log), pipe
            )
            # From here on nothing is awaited: a cancellation cannot lose track of the process.
            program = next_program()
            process = _processes.Process(target=run, args=(program, write), daemon=True)
            process.start()
        return cls(program, process, log, transport)

    async def ended(self, on_serving: Callable[[str], None]) -> int:
        """Reads what the process writes until it has ended; its exit code.

        `on_serving` is called with its address, as soon as the process logs it.
        """
        async for line in self._log:
            text = line.decode(errors="replace").rstrip()
            self.last_lines.append(text)
            if not self.ready and _READY.search(text):
                self.ready = True
                if address := json.loads(text).get("address"):
                    on_serving(address)
                self._seal_log_fate()
                if self.program.log_fate is LogFate.UNREAD:
                    break
        await asyncio.to_thread(self._process.join)
        self._transport.close()
        code = self._process.exitcode
        self._process.close()
        assert code is not None
        return code

    def _seal_log_fate(self) -> None:
        if self.program.log_fate is LogFate.READ:
            return
        if self.program.log_fate is LogFate.UNREAD:
            self._transport.pause_reading()
        pid = self._process.pid
        assert pid is not None
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGUSR1)

    def kill(self) -> None:
        """Kill -9; without effect when it has ended."""
        with suppress(ValueError):
            self._process.kill()

    def terminate(self) -> None:
        """SIGTERM; without effect when it has ended."""
        with suppress(ValueError):
            self._process.terminate()


@define(eq=False)
class ProcessSlot:
    """Keeps one process running: starts the next when it has died."""

    name: str
    _next_program: Callable[[], Program]
    _next_pause: Callable[[], float]
    """Seconds between a process that killed itself and the next."""
    address: str | None = field(default=None, init=False)
    """The URL at which the process serves; None while it does not."""
    serving: asyncio.Event = field(factory=asyncio.Event, init=False)
    """Set while there is an address."""
    killed: int = field(default=0, init=False)
    died: int = field(default=0, init=False)
    """How many killed themselves, as their program says."""
    endings: list[str] = field(factory=list, init=False)
    """Of processes that ended unexpectedly, or did not exit 0 after SIGTERM."""
    _running: RunningProcess | None = field(default=None, init=False)

    async def run(self) -> None:
        """Runs processes until it is cancelled; then ends the last one."""
        while True:
            pause = await self._one_process()
            await asyncio.sleep(pause)

    def kill(self, pause: float) -> None:
        """Kill -9; the next process starts `pause` seconds later."""
        if self._end_running(pause):
            self.killed += 1

    def replace(self) -> None:
        """Kills the process without counting it; the next starts at once."""
        self._end_running(0)

    def _end_running(self, pause: float) -> bool:
        if self._running is None or self._running.next_in is not None:
            return False
        self._running.next_in = pause
        self._running.kill()
        return True

    async def _one_process(self) -> float:
        running = self._running = await RunningProcess.start(self._next_program)
        ending = asyncio.create_task(running.ended(self._serve_at))
        try:
            code = await asyncio.shield(ending)
        except asyncio.CancelledError:
            code = await _end(running, ending)
            if code and running.ready and not self._is_expected(running, code):
                self._report(running, code)
            raise
        finally:
            self._running = self.address = None
            self.serving.clear()
        if running.next_in is not None:
            return running.next_in
        if self._is_expected(running, code):
            self.died += 1
        else:
            self._report(running, code)
        return self._next_pause()

    def _is_expected(self, running: RunningProcess, code: int) -> bool:
        return code == -signal.SIGKILL and bool(
            running.program.death or running.next_in is not None
        )

    def _report(self, running: RunningProcess, code: int) -> None:
        lines = "\n    ".join(running.last_lines)
        self.endings.append(f"{self.name} ended with {code}; its last lines:\n    {lines}")

    def _serve_at(self, address: str) -> None:
        self.address = address
        self.serving.set()


async def _end(running: RunningProcess, ending: "asyncio.Task[int]") -> int:
    running.terminate()
    _, late = await asyncio.wait([ending], timeout=_PATIENCE)
    if late:
        running.kill()
    return await ending
