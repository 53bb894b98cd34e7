"""Answers to what is no request, in AlgaPSA's envelope: no route ever sees it."""

from http import HTTPStatus
from typing import Final
from uuid import UUID

import httptools
import orjson
from attrs import frozen

from automation_retry.entrypoints.http.wire.error_responses import envelope, headers_of
from automation_retry.entrypoints.http.wire.error_table import ANSWERS
from automation_retry.entrypoints.http.wire.errors import (
    HeadTimeout,
    HeadTooLarge,
    HttpError,
    MalformedRequest,
    TooManyConnections,
    UrlTooLong,
)

MAX_URL_BYTES: Final = 8 * 1024
MAX_HEAD_BYTES: Final = 64 * 1024


@frozen
class Refusal:
    """Why the server itself refuses what a client sent."""

    error: HttpError

    @property
    def status(self) -> HTTPStatus:
        return HTTPStatus(ANSWERS[type(self.error)].status)

    @property
    def message(self) -> str:
        return str(self.error)

    def response(self, request_id: UUID, headers: list[tuple[bytes, bytes]]) -> bytes:
        """All of an HTTP response after which the connection ends."""
        answer = ANSWERS[type(self.error)]
        body = orjson.dumps(envelope(self.error, answer))
        own = headers_of(self.error, answer)
        lines = [
            b"HTTP/1.1 %d %s" % (self.status, self.status.phrase.encode()),
            *(b"%s: %s" % header for header in headers),
            b"content-type: application/json",
            b"content-length: %d" % len(body),
            b"cache-control: no-store",
            b"x-request-id: %s" % str(request_id).encode(),
            *(f"{name.lower()}: {value}".encode() for name, value in own.items()),
            b"connection: close",
        ]
        return b"\r\n".join([*lines, b"", body])


URL_TOO_LONG: Final = Refusal(UrlTooLong(MAX_URL_BYTES))
HEAD_TOO_LARGE: Final = Refusal(HeadTooLarge(MAX_HEAD_BYTES))
TOO_MANY_CONNECTIONS: Final = Refusal(TooManyConnections())


def head_too_slow(within_s: float) -> Refusal:
    return Refusal(HeadTimeout(within_s))


def malformed(reason: str) -> Refusal:
    """`reason` is the parser's, which quotes nothing of what was sent."""
    return Refusal(MalformedRequest(reason))


def reason_of(error: BaseException | None) -> str:
    """What the parser says; it says nothing of what failed in a callback: reading the URL."""
    if error is None or isinstance(error, httptools.HttpParserCallbackError):
        return "Invalid URL"
    return str(error)
