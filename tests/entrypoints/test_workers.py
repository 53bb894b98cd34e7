"""The processes of `serve --workers`."""

import os
import re
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep

import pytest
from structlog.testing import capture_logs

from automation_retry.entrypoints.stop import Stop
from automation_retry.entrypoints.workers import Workers
from tests.entrypoints.serving import address
from tests.support.command import COMMAND, running

TWO = [COMMAND, "serve", "--port", "0", "--workers", "2"]


def pids_of_workers(parent: int) -> set[int]:
    listed = subprocess.run(
        ["ps", "-ww", "-o", "pid=,args=", "--ppid", str(parent)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return {int(line.split()[0]) for line in listed.splitlines() if "spawn_main" in line}


def until(condition: Callable[[], bool]) -> None:
    deadline = monotonic() + 20
    while not condition():
        assert monotonic() < deadline
        sleep(0.05)


def is_alive(pid: int) -> bool:
    """Whether it runs; one that nobody has waited for does not."""
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def test_a_worker_that_dies_is_told_and_replaced(database_url: str) -> None:
    """With the signal that ended it."""
    with running(TWO, {"DATABASE_URL": database_url}) as serve:
        serve.until('"workers": 2')
        before = pids_of_workers(serve.process.pid)
        victim = min(before)
        os.kill(victim, signal.SIGKILL)
        line = serve.until("worker died")
        until(lambda: len(pids_of_workers(serve.process.pid)) == 2)
        after = pids_of_workers(serve.process.pid)
        status = serve.end(signal.SIGHUP)

    assert f'"pid": {victim}' in line
    assert '"reason": "signal SIGKILL"' in line
    assert len(after - before) == 1
    assert status == 0


def test_a_file_that_can_be_read_once_is_enough(database_url: str) -> None:
    """As of a process substitution; workers that are replaced need it no more."""
    script = f'exec {" ".join(TWO)} <<< "{database_url}"'
    with running(["bash", "-c", script], {"DATABASE_URL_FILE": "/dev/stdin"}) as serve:
        serve.until('"workers": 2')
        os.kill(min(pids_of_workers(serve.process.pid)), signal.SIGKILL)
        serve.until("worker died")
        serve.until('"serving"')
        status = serve.end(signal.SIGTERM)

    assert status == 0


def test_workers_end_with_their_parent(database_url: str) -> None:
    """Also when it is killed, and nothing listens any more."""
    with running(TWO, {"DATABASE_URL": database_url}) as serve:
        base = address(serve.until('"workers": 2'))
        workers = pids_of_workers(serve.process.pid)
        serve.process.send_signal(signal.SIGKILL)
        until(lambda: not any(map(is_alive, workers)))
    host, port = re.findall(r"//(.+):(\d+)", base)[0]

    with pytest.raises(ConnectionRefusedError), socket.create_connection((host, int(port))):
        pass


def refuse_to_start(_: Callable[[], None]) -> None:
    raise OSError("the disk is full")


def test_workers_that_die_at_start_again_and_again_end_the_server() -> None:
    """With the reason, instead of a loop."""
    ended: list[str] = []
    workers = Workers(
        refuse_to_start, 2, Stop(5), lambda: ended.append("started"), lambda: ended.append("ended")
    )
    with capture_logs() as lines, pytest.raises(SystemExit) as exit_status:
        workers.run()

    assert exit_status.value.code == 1
    assert ended == ["ended"]
    assert lines[-1] == {
        "event": "workers cannot start",
        "log_level": "critical",
        "reason": "the disk is full",
    }
    assert [line["reason"] for line in lines[:-1]] == ["exit status 1"] * 3


def ignore_sigterm(on_started: Callable[[], None]) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    on_started()
    while True:
        sleep(1)


def test_a_worker_that_does_not_end_is_killed() -> None:
    """After the grace period, and the log says so."""
    stop = Stop(0.5)
    workers = Workers(ignore_sigterm, 1, stop, stop.begin, lambda: None)
    with capture_logs() as lines:
        workers.run()

    assert [line["event"] for line in lines] == ["worker killed"]
    assert not is_alive(lines[0]["pid"])
