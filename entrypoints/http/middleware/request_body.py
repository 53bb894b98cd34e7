import asyncio
from typing import Final

from starlette.requests import Request

from automation_retry.entrypoints.http.wire.errors import (
    BodyIncomplete,
    BodyTimeout,
    BodyTooLarge,
)
from automation_retry.entrypoints.http.wire.request_context import header_values

BODY_ERRORS: Final = (BodyTooLarge, BodyIncomplete, BodyTimeout)
MAX_BODY_BYTES: Final = 1024 * 1024
_MAX_DIGITS = len(str(MAX_BODY_BYTES))


def has_body(request: Request) -> bool:
    """Whether the request announces a body."""
    if header_values(request.scope, b"transfer-encoding"):
        return True
    return header_values(request.scope, b"content-length") not in ([], [b"0"])


async def receive_body(request: Request, deadline: float, *, keep: bool) -> bytes:
    """Reads a body to its end: a request is acted upon only when it is complete.

    Empty where it is not kept. Starlette's own limit runs the handler first: it checks an announced
    length when the answer begins and a chunked body while it is read, and answers in plain text.

    Raises:
        BodyTooLarge: it has, or announces, more than 1 MiB. The server discards the rest, so the
            caller can finish sending and read the answer.
        BodyIncomplete: the caller disconnected.
        BodyTimeout: it had not arrived at `deadline`, by the clock of the event loop.
    """
    if not has_body(request):
        return b""
    for length in header_values(request.scope, b"content-length"):
        digits = length.lstrip(b"0")
        if digits.isdigit() and (len(digits) > _MAX_DIGITS or int(digits) > MAX_BODY_BYTES):
            raise BodyTooLarge(MAX_BODY_BYTES)
    try:
        async with asyncio.timeout_at(deadline):
            return await _read(request, keep=keep)
    except TimeoutError:
        raise BodyTimeout from None


async def _read(request: Request, *, keep: bool) -> bytes:
    size = 0
    chunks: list[bytes] = []
    more = True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise BodyIncomplete
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise BodyTooLarge(MAX_BODY_BYTES)
        if keep:
            chunks.append(chunk)
        more = message.get("more_body", False)
    return b"".join(chunks)
