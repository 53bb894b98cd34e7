import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from starlette.requests import Request

from automation_retry.entrypoints.http.middleware.request_body import MAX_BODY_BYTES, receive_body
from automation_retry.entrypoints.http.wire.errors import (
    BodyIncomplete,
    BodyTimeout,
    BodyTooLarge,
)

CHUNKED = (b"transfer-encoding", b"chunked")


def later() -> float:
    """A deadline that no test reaches."""
    return asyncio.get_running_loop().time() + 60


def announced(size: int | str) -> tuple[bytes, bytes]:
    return (b"content-length", str(size).encode())


def a_request(headers: Iterable[tuple[bytes, bytes]], chunks: Sequence[bytes | None]) -> Request:
    """A request that sends these chunks; None is a disconnect."""
    left = list(chunks)

    async def receive() -> dict[str, Any]:
        chunk = left.pop(0)
        if chunk is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": chunk, "more_body": bool(left)}

    return Request({"type": "http", "headers": list(headers)}, receive)


@pytest.mark.parametrize("headers", [[], [announced(0)]])
async def test_without_a_body_nothing_is_awaited(headers: list[tuple[bytes, bytes]]) -> None:
    """There is no chunk to receive here: waiting for one would fail."""
    await receive_body(a_request(headers, []), later(), keep=False)


@pytest.mark.parametrize("headers", [[CHUNKED], [announced(MAX_BODY_BYTES)]])
async def test_a_body_of_the_limit_passes(headers: list[tuple[bytes, bytes]]) -> None:
    """1 MiB is not beyond 1 MiB."""
    half = bytes(MAX_BODY_BYTES // 2)

    await receive_body(a_request(headers, [half, b"", half, b""]), later(), keep=False)


async def test_a_body_is_kept_where_a_route_takes_one() -> None:
    """In the order in which it came; elsewhere it costs no memory."""
    headers = [announced(6)]

    kept = await receive_body(a_request(headers, [b"abc", b"def"]), later(), keep=True)
    discarded = await receive_body(a_request(headers, [b"abc", b"def"]), later(), keep=False)

    assert (kept, discarded) == (b"abcdef", b"")


@pytest.mark.parametrize("size", [MAX_BODY_BYTES + 1, "9" * 5000, "00001048577"])
async def test_a_body_that_announces_too_much_is_refused_unread(size: int | str) -> None:
    """The caller need not send it."""
    with pytest.raises(BodyTooLarge):
        await receive_body(a_request([announced(size)], []), later(), keep=False)


async def test_a_chunked_body_is_refused_when_it_becomes_too_large() -> None:
    """What comes after is not read."""
    request = a_request([CHUNKED], [bytes(MAX_BODY_BYTES), b"x", b"never read"])

    with pytest.raises(BodyTooLarge):
        await receive_body(request, later(), keep=False)


async def test_a_body_cut_off_by_a_disconnect_is_refused() -> None:
    """An incomplete request is not acted upon."""
    with pytest.raises(BodyIncomplete):
        await receive_body(a_request([announced(10)], [b"12345", None]), later(), keep=False)


async def test_a_body_that_stops_coming_is_refused_at_the_deadline() -> None:
    """The wait for the rest is part of what the request may take."""

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        return {}

    request = Request({"type": "http", "headers": [announced(10)]}, receive)
    with pytest.raises(BodyTimeout):
        await receive_body(request, asyncio.get_running_loop().time() + 0.01, keep=False)
