"""A stop answers what was accepted, and resets nobody."""

import asyncio
import signal
from collections import Counter
from collections.abc import Callable
from time import monotonic

import httpx
import psycopg
import pytest

from tests.entrypoints.serving import address
from tests.support.command import COMMAND, Running, running

CLIENTS = 24
GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
BODY = b'"ok"}}'


async def _requests(host: str, port: int, until: Callable[[], bool], *, kept: bool) -> Counter[str]:
    """Requests one after the other; counts how they and their connections ended."""
    seen = Counter[str]()
    while not until():
        try:
            reader, writer = await asyncio.open_connection(host, port)
        except ConnectionRefusedError:
            seen["refused"] += 1
            await asyncio.sleep(0.05)
            continue
        try:
            answer = b""
            while not until() and b"connection: close" not in answer:
                writer.write(GET)
                answer = await reader.readuntil(BODY)
                seen["answered"] += 1
                if not kept:
                    break
        except (ConnectionError, asyncio.IncompleteReadError) as error:
            seen[type(error).__name__] += 1
        writer.close()
    return seen


async def _load_during_a_stop(serve: Running, base: str) -> tuple[Counter[str], int]:
    url = httpx.URL(base)
    assert url.port
    stopped = asyncio.Event()

    async def stop() -> int:
        await asyncio.sleep(0.7)
        status = await asyncio.to_thread(serve.end, signal.SIGTERM)
        await asyncio.sleep(0.2)
        stopped.set()
        return status

    *counts, status = await asyncio.gather(
        *[
            _requests(url.host, url.port, stopped.is_set, kept=number % 2 == 0)
            for number in range(CLIENTS)
        ],
        stop(),
    )
    total = Counter[str]()
    for count in counts:
        assert isinstance(count, Counter)
        total += count
    assert isinstance(status, int)
    return total, status


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_a_stop_under_load_resets_nobody(database_url: str, workers: str) -> None:
    """Clients that keep connections and clients that open one for each request."""
    command = [COMMAND, "serve", "--port", "0", "--workers", workers]
    variables = {"DATABASE_URL": database_url, "AUTOMATION_RETRY_LOG_LEVEL": "info"}
    with running(command, variables) as serve:
        base = address(await asyncio.to_thread(serve.until, "serving"))
        seen, status = await _load_during_a_stop(serve, base)

    assert status == 0
    assert set(seen) == {"answered", "refused"}
    assert seen["answered"] > CLIENTS


def test_idle_connections_are_closed_by_a_stop(database_url: str) -> None:
    """They do not hold it up for its grace period."""
    with (
        running([COMMAND, "serve", "--port", "0"], {"DATABASE_URL": database_url}) as serve,
        httpx.Client(base_url=address(serve.until("serving"))) as client,
    ):
        client.get("/healthz")
        began = monotonic()
        status = serve.end(signal.SIGTERM)
        took_s = monotonic() - began

    assert status == 0
    assert took_s < 10  # of 20


async def _floods(base: str) -> list[int]:
    """Statuses of good requests while 120 connections wait, with nothing, a part, and a body."""
    url = httpx.URL(base)
    assert url.port
    statuses: list[int] = []
    for sent in (b"", b"GET / HT", b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"):
        waiting = []
        for _ in range(120):
            _, writer = await asyncio.open_connection(url.host, url.port)
            writer.write(sent)
            waiting.append(writer)
        await asyncio.sleep(0.2)
        async with httpx.AsyncClient(base_url=base) as client:
            statuses += [(await client.get("/healthz")).status_code for _ in range(10)]
        for writer in waiting:
            writer.close()
    return statuses


def test_more_connections_than_descriptors_leave_others_unharmed() -> None:
    """Those that owe a request give way, and the log says so."""
    command = ["sh", "-c", f"ulimit -n 100; exec {COMMAND} serve --port 0"]
    with running(command, {"DATABASE_URL": "memory:"}) as serve:
        statuses = asyncio.run(_floods(address(serve.until("serving"))))
        status = serve.end(signal.SIGTERM)

    assert statuses == [200] * 30
    assert status == 0
    told = [line for line in serve.printed if "too many connections" in line]
    assert '"limit": 42' in told[0]
    assert '"closed": "the longest without a request"' in told[0]


def test_a_stop_waits_for_a_request_that_is_worked_on(database_url: str) -> None:
    """Its answer arrives, and says that the connection ends."""
    with (
        psycopg.connect(database_url) as locking,
        running([COMMAND, "serve", "--port", "0"], {"DATABASE_URL": database_url}) as serve,
    ):
        base = address(serve.until("serving"))
        locking.execute("LOCK TABLE api_keys IN ACCESS EXCLUSIVE MODE")

        async def ask_and_stop() -> tuple[httpx.Response, int]:
            async with httpx.AsyncClient(base_url=base, timeout=30) as client:
                asking = asyncio.create_task(
                    client.get(
                        "/api/v1/automation/executions/00000000-0000-0000-0000-000000000000",
                        headers={"x-api-key": "unknown"},
                    )
                )
                await asyncio.sleep(0.5)
                ending = asyncio.create_task(asyncio.to_thread(serve.end, signal.SIGTERM))
                await asyncio.sleep(0.5)
                await asyncio.to_thread(locking.rollback)
                return await asking, await ending

        answer, status = asyncio.run(ask_and_stop())

    assert (answer.status_code, status) == (401, 0)
    assert answer.headers["connection"] == "close"
