"""Starting, sharing, stopping and recovering the server, with real servers and processes."""

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import psycopg

from automation_retry.adapters.embedded import EmbeddedPostgres
from tests.adapters.embedded.accounts import ROOT
from tests.adapters.embedded.database import keep, rows
from tests.adapters.embedded.service import service


def test_data_outlive_the_server(path: Path) -> None:
    """Committed data survive a stop and a start."""
    with EmbeddedPostgres(path) as url:
        keep(url, "over a restart")

    with EmbeddedPostgres(path) as url:
        assert rows(url, "SELECT text FROM kept") == [("over a restart",)]


def test_the_last_user_stops_it(path: Path, wheel: Path) -> None:
    """Two processes share one server, which runs until both have stopped."""
    postgres = EmbeddedPostgres(path)
    url = postgres.start()
    with service(path, wheel) as other:
        shared = other.wait_for_url_and_pid()
        assert shared == (url, postgres.postmaster_pid)
        postgres.stop()
        assert postgres.postmaster_pid == shared[1]
        other.stop()

    assert postgres.postmaster_pid is None


def test_stopping_twice_or_unstarted_is_harmless(path: Path) -> None:
    """An object releases only its own use of the server, once."""
    with EmbeddedPostgres(path) as url:
        EmbeddedPostgres(path).stop()
        second = EmbeddedPostgres(path)
        second.start()
        second.stop()
        second.stop()

        assert rows(url, "SELECT 1") == [(1,)]


def test_a_server_left_by_a_killed_process_is_adopted(path: Path, wheel: Path) -> None:
    """After a kill -9 of its only user the server keeps running until its next user stops."""
    with service(path, wheel) as killed:
        _, pid = killed.wait_for_url_and_pid()
        killed.kill()
    postgres = EmbeddedPostgres(path)
    with postgres:
        assert postgres.postmaster_pid == pid

    assert postgres.postmaster_pid is None


def test_a_killed_server_is_started_again(path: Path) -> None:
    """After a kill -9 of the server, `start` recovers it with all committed data."""
    postgres = EmbeddedPostgres(path)
    with postgres as url:
        keep(url, "over a crash")
        killed = postgres.postmaster_pid
        assert killed is not None
        os.kill(killed, signal.SIGKILL)

        assert ("over a crash",) in rows(postgres.start(), "SELECT text FROM kept")
        assert postgres.postmaster_pid != killed


def test_a_statement_that_outlives_its_server_does_not_prevent_a_start(path: Path) -> None:
    """A backend that is too busy to notice its server's death is terminated."""
    postgres = EmbeddedPostgres(path)
    with postgres as url:
        busy = ["psql", url, "--command=SELECT count(*) FROM generate_series(1, 20000000) AS busy"]
        with subprocess.Popen(
            busy, executable=postgres.bin_dir / "psql", stderr=subprocess.DEVNULL
        ):
            running = (
                "SELECT FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%AS busy'"
            )
            while not rows(url, running):
                pass
            assert postgres.postmaster_pid is not None
            os.kill(postgres.postmaster_pid, signal.SIGKILL)

            assert rows(postgres.start(), "SELECT 1") == [(1,)]


def test_a_process_that_hears_nothing_does_not_prevent_a_start(path: Path) -> None:
    """A backend of a dead server that is stopped, as by a debugger, is killed."""
    postgres = EmbeddedPostgres(path)
    with postgres as url, psycopg.connect(url) as connection:
        os.kill(connection.info.backend_pid, signal.SIGSTOP)
        assert postgres.postmaster_pid is not None
        os.kill(postgres.postmaster_pid, signal.SIGKILL)

        assert rows(postgres.start(), "SELECT 1") == [(1,)]
        with suppress(psycopg.OperationalError):  # its server is gone
            connection.rollback()


def test_a_process_that_hears_nothing_does_not_prevent_a_stop(path: Path) -> None:
    """When its time is over the server is stopped as by a crash; committed data survive."""
    postgres = EmbeddedPostgres(path)
    url = postgres.start()
    keep(url, "over a hard stop")
    with psycopg.connect(url) as connection:
        os.kill(connection.info.backend_pid, signal.SIGSTOP)
        postgres.stop(within_s=1)
    assert postgres.postmaster_pid is None

    with EmbeddedPostgres(path) as again:
        assert ("over a hard stop",) in rows(again, "SELECT text FROM kept")


def test_a_reused_process_id_does_not_prevent_a_start(path: Path) -> None:
    """The recorded process id of a dead server may belong to another process by now."""
    owner = (path / "data").stat()
    record = path / "data" / "postmaster.pid"
    with subprocess.Popen(["/bin/sleep", "600"], user=owner.st_uid if ROOT else None) as other:
        try:
            record.write_text(f"{other.pid}\n{path}/data\n0\n5432\n{path}/socket\n\n0 0\nready\n")
            os.chown(record, owner.st_uid, owner.st_gid)
            with EmbeddedPostgres(path) as url:
                assert rows(url, "SELECT 1") == [(1,)]
        finally:
            other.kill()


def test_two_first_starts_at_once_create_one_server(folder: Path, wheel: Path) -> None:
    """Processes that start on the same new path wait for each other."""
    path = folder / "new"
    with service(path, wheel) as one, service(path, wheel) as other:
        assert one.wait_for_url_and_pid() == other.wait_for_url_and_pid()
        one.stop()
        other.stop()


def test_an_interrupted_first_start_is_repaired(folder: Path, wheel: Path) -> None:
    """After a kill -9 during initdb, the next start succeeds."""
    path = folder / "new"
    with service(path, wheel) as killed:
        while not any(path.glob("*/PG_VERSION")):
            assert killed.process.poll() is None
        assert not (path / "data").exists()
        killed.kill()

    with EmbeddedPostgres(path) as url:
        assert rows(url, "SELECT 1") == [(1,)]
