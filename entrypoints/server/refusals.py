"""Answers to what is no request, in AlgaPSA's envelope: no route ever sees it."""

from http import HTTPStatus
from typing import Final
from uuid import UUID

import httptools
import orjson
from attrs import frozen

from automation_retry.entrypoints.http.wire.errors import envelope

MAX_URL_BYTES: Final = 8 * 1024
MAX_HEAD_BYTES: Final = 64 * 1024


@frozen
class Refusal:
    """Why the server itself refuses what a client sent."""

    status: HTTPStatus
    code: str
    message: str

    def response(self, request_id: UUID, headers: list[tuple[bytes, bytes]]) -> bytes:
        """All of an HTTP response after which the connection ends."""
        body = orjson.dumps(envelope(self.code, self.message))
        lines = [
            b"HTTP/1.1 %d %s" % (self.status, self.status.phrase.encode()),
            *(b"%s: %s" % header for header in headers),
            b"content-type: application/json",
            b"content-length: %d" % len(body),
            b"cache-control: no-store",
            b"x-request-id: %s" % str(request_id).encode(),
            b"connection: close",
        ]
        if self.status is HTTPStatus.SERVICE_UNAVAILABLE:
            lines.append(b"retry-after: 1")
        return b"\r\n".join([*lines, b"", body])


URL_TOO_LONG: Final = Refusal(
    HTTPStatus.REQUEST_URI_TOO_LONG, "URI_TOO_LONG", f"URL exceeds {MAX_URL_BYTES} bytes"
)
HEAD_TOO_LARGE: Final = Refusal(
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    "REQUEST_HEADER_FIELDS_TOO_LARGE",
    f"Request headers exceed {MAX_HEAD_BYTES} bytes",
)
TOO_MANY_CONNECTIONS: Final = Refusal(
    HTTPStatus.SERVICE_UNAVAILABLE, "SERVICE_UNAVAILABLE", "Too many connections"
)


def head_too_slow(within_s: float) -> Refusal:
    return Refusal(
        HTTPStatus.REQUEST_TIMEOUT,
        "REQUEST_TIMEOUT",
        f"Request headers did not arrive within {within_s:g} s",
    )


def malformed(reason: str) -> Refusal:
    """`reason` is the parser's, which quotes nothing of what was sent."""
    return Refusal(HTTPStatus.BAD_REQUEST, "BAD_REQUEST", f"Malformed HTTP request: {reason}")


def reason_of(error: BaseException | None) -> str:
    """What the parser says; it says nothing of what failed in a callback: reading the URL."""
    if error is None or isinstance(error, httptools.HttpParserCallbackError):
        return "Invalid URL"
    return str(error)
