"""The demo ends in order whatever ends it, and the next start finds nothing that runs."""

import fcntl
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.command import Running, environment
from tests.support.demo import READY, demo_command, demo_folder, demo_in, processes_of

# The first terminal that a session's leader opens becomes the session's.
IN_A_TERMINAL = """
import os, sys
os.close(os.open(os.ttyname(0), os.O_RDWR))
os.execv(sys.argv[1], sys.argv[1:])
"""
ENDED = "The demo has ended; its data are kept."


@pytest.fixture
def data() -> Iterator[Path]:
    with demo_folder() as data:
        yield data


def starts_and_ends(data: Path) -> bool:
    """Whether a start in the folder becomes ready and leaves nothing running."""
    with demo_in(data) as demo:
        demo.until(READY)
        status = demo.end(signal.SIGTERM)
    return status == 0 and not processes_of(data)


def initdb_runs(data: Path) -> bool:
    return any((data / "postgres").glob("new-*/PG_VERSION"))


def postgres_starts(data: Path) -> bool:
    return (data / "postgres" / "postgresql.conf").exists()


def postgres_runs(data: Path) -> bool:
    try:
        return "ready" in (data / "postgres" / "data" / "postmaster.pid").read_text()
    except FileNotFoundError:
        return False


def tables_are_made(data: Path) -> bool:
    """Some hundred files after the start, the database is being filled."""
    databases = data / "postgres" / "data" / "base"
    return any(sum(1 for _ in one.iterdir()) > 310 for one in databases.glob("*"))


MOMENTS = (initdb_runs, postgres_starts, postgres_runs, tables_are_made)


def wait_until(reached: Callable[[Path], bool], data: Path, demo: Running) -> None:
    while not reached(data):
        assert demo.process.poll() is None, "it ended before"
        time.sleep(0.002)


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP], ids=lambda s: s.name)
def test_a_signal_at_any_moment_of_the_start_ends_it(
    data: Path, moment: Callable[[Path], bool], number: signal.Signals
) -> None:
    """Status 0, without a traceback; the next start is as the first."""
    with demo_in(data) as demo:
        wait_until(moment, data, demo)
        status = demo.end(number)

    printed = "".join(demo.printed)
    assert status == 0
    assert printed.endswith(f"{ENDED}\n")
    assert "Traceback" not in printed
    assert processes_of(data) == set()
    assert starts_and_ends(data)


def test_a_signal_ends_one_that_waits_for_another_start(data: Path) -> None:
    data.mkdir()
    with (data / "start.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with demo_in(data) as demo:
            demo.until("Waiting for another demo")
            status = demo.end(signal.SIGINT)

    assert status == 0
    assert demo.printed[-1] == f"{ENDED}\n"


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGQUIT], ids=lambda s: s.name)
def test_other_signals_end_it_like_sigterm(data: Path, number: signal.Signals) -> None:
    with demo_in(data) as demo:
        demo.until(READY)
        status = demo.end(number)

    assert status == 0
    assert demo.printed[-1] == f"{ENDED}\n"
    assert processes_of(data) == set()


def test_more_signals_change_nothing(data: Path) -> None:
    """An impatient Ctrl-C, Ctrl-C still ends it in order."""
    with demo_in(data) as demo:
        demo.until(READY)
        for _ in range(2):
            demo.process.send_signal(signal.SIGINT)
            time.sleep(0.05)
        status = demo.end(signal.SIGINT)

    assert status == 0
    assert "Traceback" not in "".join(demo.printed)
    assert processes_of(data) == set()


def test_a_terminal_that_closes_ends_it(data: Path) -> None:
    """Nothing can be printed any more, which changes neither the stop nor the status."""
    terminal, side = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", IN_A_TERMINAL, *demo_command(data)],
        env=environment({}),
        stdin=side,
        stdout=side,
        stderr=side,
        start_new_session=True,
    ) as demo:
        os.close(side)
        seen = b""
        while READY.encode() not in seen:
            seen += os.read(terminal, 65536)
        os.close(terminal)
        status = demo.wait(60)

    assert status == 0
    assert processes_of(data) == set()


def test_output_that_nobody_reads_ends_it(data: Path) -> None:
    """As with `| head -1`: nobody could learn the keys."""
    reading, writing = os.pipe()
    with subprocess.Popen(
        demo_command(data), env=environment({}), stdout=writing, stderr=subprocess.PIPE, text=True
    ) as demo:
        os.close(writing)
        with os.fdopen(reading) as lines:
            assert lines.readline().startswith("Starting PostgreSQL")
        _, errors = demo.communicate(timeout=60)

    assert "Traceback" not in errors
    assert demo.returncode == 0
    assert processes_of(data) == set()


@pytest.mark.parametrize("moment", MOMENTS)
def test_after_kill_9_during_the_start_the_next_one_is_clean(
    data: Path, moment: Callable[[Path], bool]
) -> None:
    with demo_in(data) as demo:
        wait_until(moment, data, demo)
        demo.end(signal.SIGKILL)

    assert starts_and_ends(data)


def test_after_kill_9_the_next_start_takes_over_the_database(data: Path) -> None:
    """The server that was left behind ends with it."""
    with demo_in(data) as demo:
        demo.until(READY)
        demo.end(signal.SIGKILL)
    left = processes_of(data)

    assert left
    assert starts_and_ends(data)
