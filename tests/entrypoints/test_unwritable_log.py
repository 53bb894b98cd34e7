"""Whatever becomes of standard error, retries are answered and delivered."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from uuid import UUID

import httpx
import psycopg
import pytest

from tests.entrypoints.test_shutdown import a_tenant, retry
from tests.support.command import COMMAND, environment
from tests.support.server_process import free_port

PATIENCE_S = 30.0


@contextmanager
def full_device() -> Iterator[int]:
    descriptor = os.open("/dev/full", os.O_WRONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def unread_pipe() -> Iterator[int]:
    """Full from the beginning."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        while os.write(writer, b"-" * 4096):
            pass
    except BlockingIOError:
        os.set_blocking(writer, True)
    try:
        yield writer
    finally:
        os.close(reader)
        os.close(writer)


@contextmanager
def pipe_without_reader() -> Iterator[int]:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        yield writer
    finally:
        os.close(writer)


@pytest.mark.parametrize(
    ("log", "workers"),
    [(full_device, 1), (unread_pipe, 1), (pipe_without_reader, 1), (unread_pipe, 2)],
)
def test_retries_go_on(
    database_url: str, log: Callable[[], AbstractContextManager[int]], workers: int
) -> None:
    """All of them are answered, and all that they promise is delivered; a stop ends it."""
    key, executions = a_tenant(database_url, 20)
    with (
        log() as descriptor,
        serving(database_url, descriptor, "--workers", str(workers)) as (process, base),
        httpx.Client() as client,
    ):
        # More lines than any buffer holds.
        for _ in range(200):
            client.get(f"{base}/nowhere/{'x' * 4000}")
        answers = [retry(base, key, one) for one in executions]
        await_delivery(database_url, executions)
        ready = client.get(f"{base}/readyz")
        process.send_signal(signal.SIGTERM)
        status = process.wait(PATIENCE_S)

    assert {answer.status_code for answer in answers} == {200}
    assert ready.status_code == 200
    assert status == 0


def test_standard_error_that_is_closed_is_no_connection(database_url: str) -> None:
    """No socket gets its number, so no line of the log is sent to a database or a client."""
    key, executions = a_tenant(database_url, 3)
    with serving(database_url, None) as (process, base):
        assert Path(f"/proc/{process.pid}/fd/2").readlink() == Path(os.devnull)
        answers = [retry(base, key, one) for one in executions]
        await_delivery(database_url, executions)
        process.send_signal(signal.SIGTERM)
        status = process.wait(PATIENCE_S)

    assert {answer.status_code for answer in answers} == {200}
    assert status == 0


@contextmanager
def serving(
    database_url: str, log: int | None, *options: str
) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """`serve` with that descriptor as standard error, or with none; and its address."""
    port = free_port()
    variables = {"DATABASE_URL": database_url, "AUTOMATION_RETRY_LOG_LEVEL": "debug"}
    command = [COMMAND, "serve", "--port", str(port), *options]
    if log is None:
        command = ["/bin/sh", "-c", 'exec "$0" "$@" 2>&-', *command]
    with subprocess.Popen(command, env=environment(variables), stderr=log) as process:
        try:
            base = f"http://127.0.0.1:{port}"
            transport = httpx.HTTPTransport(retries=8)  # until it listens
            with httpx.Client(transport=transport) as client:
                assert client.get(f"{base}/healthz").status_code == 200
            yield process, base
        finally:
            process.terminate()


def await_delivery(database_url: str, executions: list[UUID]) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("SET statement_timeout = '30s'")
        for queue in ("automation.executions", "automation.events"):
            delivered = 0
            while delivered < len(executions):
                row = connection.execute(
                    "SELECT count(*) FROM procrastinate_jobs WHERE queue_name = %s"
                    " AND (SELECT true FROM pg_sleep(0.02))",
                    (queue,),
                ).fetchone()
                assert row
                delivered = row[0]
