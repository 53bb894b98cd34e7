"""What the entrypoint refuses, before or instead of a use case."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final


class HttpError(Exception):
    """A request that the entrypoint refuses, not a use case."""


class PathNotFound(HttpError):
    """No route has this path."""

    def __init__(self) -> None:
        super().__init__("Not found")


class MethodNotAllowed(HttpError):
    """The route of this path has other methods."""

    def __init__(self, allow: Sequence[str]) -> None:
        self.allow = allow
        super().__init__("Method not allowed")


class BodyTooLarge(HttpError):
    """The request's body exceeds `limit` bytes."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        super().__init__(f"Request body exceeds {limit} bytes")


class BodyIncomplete(HttpError):
    """The caller disconnected before its request was complete; nothing was done."""

    def __init__(self) -> None:
        super().__init__("Request body is incomplete")


class BodyTimeout(HttpError):
    """The body of the request did not arrive in time; nothing was done."""

    def __init__(self) -> None:
        super().__init__("Request body took too long")


class CallerDisconnected(HttpError):
    """The caller disconnected before the answer. The outcome of a commit is unknown."""

    def __init__(self) -> None:
        super().__init__("Client closed the request")


class RateLimited(HttpError):
    """The API key's bucket is empty."""

    def __init__(self, retry_after_ms: int, remaining: int, resets_at: datetime) -> None:
        self.retry_after_ms = retry_after_ms
        self.remaining = remaining
        self.resets_at = resets_at
        super().__init__("Too many requests")


class NotReady(HttpError):
    """Retries cannot be accepted now."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = problems
        super().__init__("Not ready")


class MalformedRequest(HttpError):
    """What was sent is not a request of HTTP/1.1. `reason` quotes nothing of it."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"Malformed HTTP request: {reason}")


class HeadTimeout(HttpError):
    """The headers of the request did not arrive in time."""

    def __init__(self, within_s: float) -> None:
        super().__init__(f"Request headers did not arrive within {within_s:g} s")


class UrlTooLong(HttpError):
    """The URL exceeds `limit` bytes."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"URL exceeds {limit} bytes")


class HeadTooLarge(HttpError):
    """The headers exceed `limit` bytes."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"Request headers exceed {limit} bytes")


class TooManyConnections(HttpError):
    """The process has no file descriptors for another connection."""

    def __init__(self) -> None:
        super().__init__("Too many connections")


SERVER_ERRORS: Final = (
    MalformedRequest,
    HeadTimeout,
    UrlTooLong,
    HeadTooLarge,
    TooManyConnections,
)
"""What the server refuses before a route is chosen."""
