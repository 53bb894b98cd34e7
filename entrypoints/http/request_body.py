from starlette.requests import Request

from automation_retry.entrypoints.http.errors import BodyIncomplete, BodyTooLarge
from automation_retry.entrypoints.http.request_context import header_values

MAX_BODY_BYTES = 1024 * 1024
_MOST_DIGITS = len(str(MAX_BODY_BYTES))


async def discard_body(request: Request) -> None:
    """Reads a body that nobody needs to its end: a request is acted upon only when complete.

    Starlette's own limit would act first and say 413 afterwards: it looks at an announced length
    when the answer begins, at a chunked body only while it is read, and answers in plain text.

    Raises:
        BodyTooLarge: it has, or announces, more than 1 MiB. The server skips what is still to
            come, so the caller can finish sending, read the answer and go on.
        BodyIncomplete: the caller went away.
    """
    lengths = header_values(request.scope, b"content-length")
    if not header_values(request.scope, b"transfer-encoding") and (
        not lengths or lengths == [b"0"]
    ):
        return
    for length in lengths:
        digits = length.lstrip(b"0")
        if digits.isdigit() and (len(digits) > _MOST_DIGITS or int(digits) > MAX_BODY_BYTES):
            raise BodyTooLarge(MAX_BODY_BYTES)
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
