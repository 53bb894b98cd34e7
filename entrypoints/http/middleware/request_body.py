import asyncio

from starlette.requests import Request

from automation_retry.entrypoints.http.wire.errors import (
    BodyIncomplete,
    BodyTimeout,
    BodyTooLarge,
)
from automation_retry.entrypoints.http.wire.request_context import header_values

MAX_BODY_BYTES = 1024 * 1024
_MAX_DIGITS = len(str(MAX_BODY_BYTES))


def has_body(request: Request) -> bool:
    """Whether the request announces a body."""
    if header_values(request.scope, b"transfer-encoding"):
        return True
    return header_values(request.scope, b"content-length") not in ([], [b"0"])


async def discard_body(request: Request, deadline: float) -> None:
    """Reads an unused body to its end: a request is acted upon only when it is complete.

    Starlette's own limit runs the handler first: it checks an announced length when the answer
    begins and a chunked body while it is read, and answers in plain text.

    Raises:
        BodyTooLarge: it has, or announces, more than 1 MiB. The server discards the rest, so the
            caller can finish sending and read the answer.
        BodyIncomplete: the caller disconnected.
        BodyTimeout: it had not arrived at `deadline`, by the clock of the event loop.
    """
    if not has_body(request):
        return
    for length in header_values(request.scope, b"content-length"):
        digits = length.lstrip(b"0")
        if digits.isdigit() and (len(digits) > _MAX_DIGITS or int(digits) > MAX_BODY_BYTES):
            raise BodyTooLarge(MAX_BODY_BYTES)
    try:
        async with asyncio.timeout_at(deadline):
            await _read(request)
    except TimeoutError:
        raise BodyTimeout from None


async def _read(request: Request) -> None:
    size = 0
    more = True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise BodyIncomplete
        size += len(message.get("body", b""))
        if size > MAX_BODY_BYTES:
            raise BodyTooLarge(MAX_BODY_BYTES)
        more = message.get("more_body", False)
