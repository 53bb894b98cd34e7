"""Malformed, oversized and slow requests are refused by the server, before any route."""

from collections.abc import AsyncIterator, MutableMapping
from typing import Any

import pytest
from structlog.testing import capture_logs

from automation_retry.entrypoints.server import TimeLimits
from tests.entrypoints.server.raw_http import Connection, exchange
from tests.support.factories import a_failed_execution
from tests.support.world import World, running_service

GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
RETRY = b"POST /api/v1/automation/executions/x/retry HTTP/1.1\r\nHost: x\r\n"
Lines = list[MutableMapping[str, Any]]


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with running_service({"DATABASE_URL": "memory:"}) as world:
        yield world


def refused(lines: Lines) -> Lines:
    return [line for line in lines if line["event"] == "request refused"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"GARBAGE\r\n\r\n", "Invalid method encountered"),
        (b"\x16\x03\x01\x02\x00\x01\x00", "Invalid method encountered"),
        (GET + b"no colon\r\n\r\n", "Invalid header token"),
        (GET + b"A: b\0c\r\n\r\n", "Invalid header value char"),
        (b"GET /\xff HTTP/1.1\r\n\r\n", "Invalid char in url path"),
        (b"GET http://host HTTP/1.1\r\n\r\n", "Invalid URL"),
        (b"GET / HTTP/9.9\r\n\r\n", "Invalid HTTP version"),
        (
            RETRY + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "Transfer-Encoding can't be present with Content-Length",
        ),
        (RETRY + b"Content-Length: -1\r\n\r\n", "Invalid character in Content-Length"),
        (RETRY + b"Transfer-Encoding: chunked\r\n\r\nZ\r\n", "Invalid character in chunk size"),
    ],
)
async def test_malformed_http_is_400_in_the_envelope(
    world: World, data: bytes, reason: str
) -> None:
    """With an id; the log has the client's address and the reason, and nothing that was sent."""
    with capture_logs() as lines:
        answer = await exchange(world, data)

    assert answer.status == 400
    assert answer.error() == {
        "code": "BAD_REQUEST",
        "message": f"Malformed HTTP request: {reason}",
    }
    assert answer.headers["content-type"] == "application/json"
    assert len(answer.headers["x-request-id"]) == 36
    assert refused(lines) == [
        {
            "event": "request refused",
            "log_level": "warning",
            "client": "127.0.0.1",
            "status": 400,
            "reason": f"Malformed HTTP request: {reason}",
        }
    ]


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (b"GET /" + b"a" * 8192 + b" HTTP/1.1\r\n\r\n", 414, "URI_TOO_LONG"),
        (b"GET /" + b"a" * 500_000, 414, "URI_TOO_LONG"),
        (GET + b"A: " + b"a" * 65_536 + b"\r\n\r\n", 431, "REQUEST_HEADER_FIELDS_TOO_LARGE"),
        (GET + b"A: " + b"a" * 500_000, 431, "REQUEST_HEADER_FIELDS_TOO_LARGE"),
        (GET + b"A: bcdefghi\r\n" * 6000 + b"\r\n", 431, "REQUEST_HEADER_FIELDS_TOO_LARGE"),
    ],
)
async def test_a_head_that_is_too_large_is_refused(
    world: World, data: bytes, status: int, code: str
) -> None:
    """Before it has ended: what an attacker sends is not kept."""
    with capture_logs() as lines:
        answer = await exchange(world, data)

    assert (answer.status, answer.error()["code"]) == (status, code)
    assert [line["status"] for line in refused(lines)] == [status]


async def test_a_head_up_to_the_limits_is_served(world: World) -> None:
    """URL and headers of the size that the README promises, in small pieces."""
    connection = await Connection.to(world)
    await connection.send(b"GET /healthz?" + b"a" * 8170 + b" HTTP/1.1\r\nHost: x\r\n")
    for _ in range(63):
        await connection.send(b"A: " + b"a" * 1000 + b"\r\n")
    await connection.send(b"\r\n")
    answer = await connection.answer()
    await connection.close()

    assert answer.status == 200


@pytest.mark.parametrize(
    "malformed", [b"GARBAGE\r\n\r\n", RETRY + b"Transfer-Encoding: chunked\r\n\r\nZ\r\n"]
)
async def test_an_answer_that_is_due_comes_before_a_refusal(world: World, malformed: bytes) -> None:
    """Bytes that follow a request do not spoil its answer, whether they come with it or later."""
    key = (await world.key()).encode()
    executions = [await world.add(a_failed_execution(tenant=world.tenant)) for _ in range(2)]
    statuses = []
    for execution, pause in zip(executions, (b"", b"GET / HT"), strict=True):
        url = f"/api/v1/automation/executions/{execution.execution_id}/retry"
        connection = await Connection.to(world)
        retry = f"POST {url} HTTP/1.1\r\nHost: x\r\nx-api-key: ".encode() + key + b"\r\n\r\n"
        await connection.send(retry + malformed if not pause else retry + malformed[:10])
        if pause:
            await connection.send(malformed[10:])
        statuses.append([(await connection.answer()).status for _ in range(2)])
        assert await connection.end() == b""

    assert statuses == [[200, 400], [200, 400]]


async def test_pipelined_requests_are_answered_in_order(world: World) -> None:
    """Each with its own answer, on a connection that stays open."""
    connection = await Connection.to(world)
    await connection.send(
        GET + b"\r\n" + b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n" + GET + b"\r\n"
    )
    answers = [await connection.answer() for _ in range(3)]
    await connection.close()

    assert [answer.status for answer in answers] == [200, 404, 200]


async def test_a_malformed_body_stops_the_retry(world: World) -> None:
    """It is refused, and nothing was done."""
    execution = await world.add(a_failed_execution(tenant=world.tenant))
    key = (await world.key()).encode()
    url = f"/api/v1/automation/executions/{execution.execution_id}"
    answer = await exchange(
        world,
        f"POST {url}/retry HTTP/1.1\r\nHost: x\r\nx-api-key: ".encode()
        + key
        + b"\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\nZ\r\n",
    )
    seen = await world.get(url, key.decode())

    assert answer.status == 400
    assert seen.json()["data"]["status"] == "failed"


async def test_slow_clients_are_closed() -> None:
    """408 for a head that does not end; a connection that sends nothing is only closed."""
    times = TimeLimits(head=0.3)
    async with running_service({"DATABASE_URL": "memory:"}, times) as world:
        silent = await Connection.to(world)
        slow = await Connection.to(world)
        await slow.send(b"GET / HTTP/1.1\r\nA: ")
        feeds = await Connection.to(world)
        await feeds.send(b"\r\n\r\n")
        kept = await Connection.to(world)
        await kept.send(GET + b"\r\n")
        first = await kept.answer()
        await kept.send(b"GET / HT")
        with capture_logs() as lines:
            answer = await slow.answer()
            again = await kept.answer()
            ends = [await one.end() for one in (silent, slow, feeds, kept)]

    assert first.status == 200
    assert (answer.status, again.status) == (408, 408)
    assert answer.error() == {
        "code": "REQUEST_TIMEOUT",
        "message": "Request headers did not arrive within 0.3 s",
    }
    assert ends == [b"", b"", b"", b""]
    assert [line["status"] for line in refused(lines)] == [408, 408]


async def test_a_body_that_nobody_reads_does_not_keep_its_connection() -> None:
    """The request was answered; the rest of its body is awaited for a while only."""
    times = TimeLimits(body=0.3)
    async with running_service({"DATABASE_URL": "memory:"}, times) as world:
        connection = await Connection.to(world)
        await connection.send(GET + b"Content-Length: 100\r\n\r\n")
        answer = await connection.answer()
        await connection.send(b"a")  # uvicorn no longer counts the connection as idle
        end = await connection.end()

    assert answer.status == 200
    assert end == b""


async def test_two_hundred_slow_clients_leave_others_unharmed(world: World) -> None:
    """Each has sent half of a request."""
    slow = [await Connection.to(world) for _ in range(200)]
    for connection in slow:
        await connection.send(b"GET /healthz HT")
    statuses = [(await world.client.get("/healthz")).status_code for _ in range(20)]
    for connection in slow:
        await connection.close()

    assert statuses == [200] * 20
