"""Clients that pipeline, upgrade, close half, or do not read."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from automation_retry.domain import Json
from automation_retry.entrypoints.server import TimeLimits
from automation_retry.entrypoints.server.progress import Answers
from tests.entrypoints.server.raw_http import Connection
from tests.support.factories import a_failed_execution
from tests.support.world import EXECUTIONS, World, running_service

GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
UPGRADE = b"Connection: Upgrade\r\nUpgrade: h2c\r\n"


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with running_service({"DATABASE_URL": "memory:"}) as world:
        yield world


async def retry(world: World, headers: bytes = b"") -> bytes:
    """The request for a retry of a new execution."""
    execution = await world.add(a_failed_execution(tenant=world.tenant))
    line = f"POST {EXECUTIONS}/{execution.execution_id}/retry HTTP/1.1\r\nHost: x\r\n"
    return f"{line}x-api-key: {await world.key()}\r\n".encode() + headers + b"\r\n"


async def test_a_client_that_closes_half_gets_its_answer(postgres_world: World) -> None:
    """As `nc -N` does. Its retry is committed while the service already knows of the end."""
    connection = await Connection.to(postgres_world)
    await connection.send(await retry(postgres_world))
    connection.send_eof()
    answer = await connection.answer()

    assert answer.status == 200
    assert await connection.end() == b""


@pytest.mark.parametrize("apart", [False, True])
async def test_an_upgrade_is_ignored(world: World, *, apart: bool) -> None:
    """The requests after it are served, whether they come in the same piece or later."""
    requests = [await retry(world, UPGRADE), await retry(world, UPGRADE), await retry(world)]
    connection = await Connection.to(world)
    statuses = []
    for piece in requests if apart else [b"".join(requests)]:
        await connection.send(piece)
        statuses.extend(
            [(await connection.answer()).status for _ in range(len(requests) if not apart else 1)]
        )
    await connection.close()

    assert statuses == [200, 200, 200]


async def test_an_upgrade_with_a_body_is_refused(world: World) -> None:
    """The parser would take the body for another request."""
    connection = await Connection.to(world)
    smuggled = b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n"
    await connection.send(
        await retry(world, UPGRADE + b"Content-Length: %d\r\n" % len(smuggled)) + smuggled
    )
    answer = await connection.answer()

    assert answer.status == 400
    assert await connection.end() == b""


async def test_trailers_are_no_headers(world: World) -> None:
    """A key in a trailer is none, and does not spoil the one in the headers."""
    chunked = b"Transfer-Encoding: chunked\r\n"
    connection = await Connection.to(world)
    await connection.send(
        await retry(world, chunked) + b"1\r\na\r\n0\r\nx-api-key: unknown\r\n\r\n"
    )
    answer = await connection.answer()
    await connection.close()

    assert answer.status == 200


@pytest.mark.parametrize(
    "trailers", [b"A: b\r\n" * 30_000, b"A: " + b"b" * 300_000, b"0;" + b"e" * 300_000]
)
async def test_trailers_and_extensions_are_bounded(world: World, trailers: bytes) -> None:
    """Nobody reads them, and they would fill the memory."""
    connection = await Connection.to(world)
    start = b"" if trailers.startswith(b"0;") else b"0\r\n"
    await connection.send(await retry(world, b"Transfer-Encoding: chunked\r\n") + start)
    await asyncio.sleep(0.05)
    await connection.send(trailers)
    answer = await connection.answer()

    assert answer.status == 400
    assert await connection.end() == b""


async def test_few_requests_wait_in_a_pipeline(world: World) -> None:
    """The first 17 are answered; the number of requests held in memory is bounded."""
    connection = await Connection.to(world)
    await connection.send(GET * 10_000)
    statuses = [(await connection.answer()).status for _ in range(18)]

    assert statuses == [200] * 17 + [400]
    assert await connection.end() == b""


def test_a_client_that_takes_nothing_has_waited_since_it_took_something() -> None:
    """Only while something is left to be taken."""
    answers = Answers()

    assert [
        answers.wait_s(unsent, now)
        for unsent, now in [(0, 10), (9, 20), (9, 30), (5, 40), (5, 45), (7, 50), (0, 60), (3, 70)]
    ] == [0, 0, 10, 0, 5, 10, 0, 0]


async def test_a_client_that_does_not_read_is_ended() -> None:
    """It would keep its connection for ever."""
    times = TimeLimits(answer=0.5)
    async with running_service({"DATABASE_URL": "memory:"}, times) as world:
        large = Json('"' + "x" * 40_000_000 + '"')
        execution = await world.add(
            a_failed_execution(tenant=world.tenant, execution_context=large)
        )
        path = f"{EXECUTIONS}/{execution.execution_id}"
        connection = await Connection.to(world)
        await connection.send(
            f"GET {path} HTTP/1.1\r\nHost: x\r\nx-api-key: {await world.key()}\r\n\r\n".encode()
        )
        await asyncio.sleep(2.5)
        received = await connection.end()

    assert 0 < len(received) < 40_000_000
