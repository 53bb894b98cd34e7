"""Several processes that serve one socket: started, watched, replaced and ended together."""

import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from multiprocessing.resource_tracker import ensure_running
from typing import Any, Final

from attrs import define, field, frozen

from automation_retry.adapters.log import log
from automation_retry.entrypoints.settings import SettingsError
from automation_retry.entrypoints.stop import Stop

_MAX_FAILED_STARTS: Final = 3
"""In a row, over all workers."""
_PAUSE_S: Final = 1.0
"""Between the death of a worker that had lived for less than `_SOON_S` and its replacement."""
_SOON_S: Final = 10.0
_TICK_S: Final = 0.2
_OF_TERMINALS: Final = frozenset({signal.SIGINT, signal.SIGHUP, signal.SIGQUIT})
_KILL_AFTER_S: Final = 3.0
"""Beyond the grace period, in which workers end by themselves."""

Work = Callable[[Callable[[], None]], None]
"""What a worker does until SIGTERM, picklable. It is given what it calls once it has started."""


@frozen(eq=False)
class _Worker:
    process: BaseProcess
    started: Connection
    began: float


@define(eq=False)
class Workers:
    """Keeps `count` processes running until SIGINT or SIGTERM.

    A worker that dies is replaced. Workers end with this process, whatever ends it.
    """

    _work: Work
    _count: int
    _stop: Stop
    _on_started: Callable[[], None]
    """Called when the first worker has started."""
    _on_stopping: Callable[[], None]
    """Called before the workers are told to end."""
    _running: list[_Worker] = field(init=False, factory=list)
    _failures: list[str] = field(init=False, factory=list)
    """Of the workers that ended before they had started, since the last that did start."""
    _announced: bool = field(init=False, default=False)
    _next_start: float = field(init=False, default=0.0)

    def run(self) -> None:
        """Blocks until all workers have ended.

        Raises:
            SystemExit: with status 1, when workers died before they had started, three in a row.
        """
        with _on_signals(self._stop.begin):
            while not self._stop.began:
                self._start_missing()
                self._look(_TICK_S)
            self._end()
        if self._stop.failed:
            raise SystemExit(1)

    def _start_missing(self) -> None:
        while len(self._running) < self._count and time.monotonic() >= self._next_start:
            try:
                self._running.append(_started(self._work))
            except OSError as error:  # too many processes or open files
                self._failures.append(str(error))
                self._give_up_or_pause()

    def _look(self, within_s: float) -> None:
        """Waits until a worker has started or ended, and takes note of it."""
        waited: dict[Any, _Worker] = {}
        for worker in self._running:
            waited[worker.process.sentinel] = worker
            if not worker.started.closed:
                waited[worker.started] = worker
        if not waited:
            time.sleep(within_s)
        for ready in wait(list(waited), within_s):
            worker = waited[ready]
            if ready is worker.started:
                self._note_start(worker)
            elif worker in self._running:
                self._running.remove(worker)
                self._note_start(worker)
                worker.process.join()
                self._note_death(worker)

    def _note_start(self, worker: _Worker) -> None:
        if worker.started.closed:
            return
        failure = _failure(worker.started)
        worker.started.close()
        if failure is not None:
            self._failures.append(failure)
            return
        self._failures.clear()
        if not self._announced:
            self._announced = True
            self._on_started()

    def _note_death(self, worker: _Worker) -> None:
        if self._stop.began:
            return
        log(
            logging.ERROR,
            "worker died",
            pid=worker.process.pid,
            reason=_reason(worker.process.exitcode),
        )
        if time.monotonic() - worker.began < _SOON_S:
            self._give_up_or_pause()

    def _give_up_or_pause(self) -> None:
        self._next_start = time.monotonic() + _PAUSE_S
        if len(self._failures) >= _MAX_FAILED_STARTS:
            log(logging.CRITICAL, "workers cannot start", reason=self._failures[-1])
            self._stop.failed = True
            self._stop.begin()

    def _end(self) -> None:
        self._on_stopping()
        self._send(signal.SIGTERM)
        while self._running and self._stop.left_s > 0:
            self._look(_TICK_S)
        deadline = time.monotonic() + _KILL_AFTER_S
        while self._running and time.monotonic() < deadline:
            self._look(_TICK_S)
        for worker in self._running:
            log(logging.WARNING, "worker killed", pid=worker.process.pid)
        self._send(signal.SIGKILL)
        for worker in self._running:
            worker.process.join()

    def _send(self, number: signal.Signals) -> None:
        for worker in self._running:
            if worker.process.pid is not None and worker.process.exitcode is None:
                os.kill(worker.process.pid, number)


def _started(work: Work) -> _Worker:
    """A new process, which does not see the signals of a terminal: its parent acts on them."""
    context = multiprocessing.get_context("spawn")
    ensure_running()  # multiprocessing's own process, at whose start it unblocks SIGINT
    receiving, sending = context.Pipe(duplex=False)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _OF_TERMINALS)
    try:
        process = context.Process(target=_run, args=(work, sending), daemon=True)
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        sending.close()
    return _Worker(process, receiving, time.monotonic())


def _run(work: Work, started: Connection) -> None:
    """The main function of a worker process."""
    for number in _OF_TERMINALS:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _OF_TERMINALS)
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()

    def report(failure: str | None = None) -> None:
        if not started.closed:
            started.send(failure)
            started.close()

    try:
        work(report)
    except (SettingsError, OSError, ImportError) as error:
        report(str(error))
        raise SystemExit(1) from None


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)


def _failure(started: Connection) -> str | None:
    """Why a worker ended without having started; None for one that has started."""
    try:
        reason: str | None = started.recv()
    except (EOFError, OSError):
        return "it ended before it had started; see the lines before"
    return reason


def _reason(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        return f"signal {signal.Signals(-exit_code).name}"
    return f"exit status {exit_code}"


@contextmanager
def _on_signals(begin: Callable[[], None]) -> Iterator[None]:
    handled: Sequence[signal.Signals] = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda *_: begin()) for number in handled}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
