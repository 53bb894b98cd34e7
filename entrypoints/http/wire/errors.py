"""The one table of errors and their answers, in AlgaPSA's envelope."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

from attrs import frozen
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from automation_retry.application import (
    ApiKeyRequired,
    ExecutionNotFound,
    IdempotencyKeyReused,
    InvalidApiKey,
    InvalidIdempotencyKey,
    RetryConflict,
    RetryNotStored,
    StorageFailed,
    StorageUnavailable,
)
from automation_retry.domain import (
    ExecutionNotFailed,
    InvalidExecutionId,
    PermissionDenied,
    UnreadableExecution,
    utc_text,
)
from automation_retry.entrypoints.http.wire.json_response import JsonResponse
from automation_retry.entrypoints.http.wire.request_context import context_of


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


class InvalidQuery(HttpError):
    """Query parameters are out of range; `expected` says what each must be."""

    def __init__(self, expected: Mapping[str, str]) -> None:
        self.expected = expected
        super().__init__(f"Invalid query parameter: {', '.join(expected)}")


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


def _no_fields(_: Any) -> dict[str, Any]:
    return {}


@frozen
class Answer:
    """The answer to one class of errors."""

    status: int
    code: str
    message: str | None = None
    """The error's own by default."""
    details: Callable[[Any], Any] | None = None
    headers: Callable[[Any], dict[str, str]] = _no_fields
    log: Callable[[Any], dict[str, Any]] = _no_fields
    """Fields of the request's log line, which the caller does not see."""


_UNEXPECTED = "An unexpected error occurred"
_INTERNAL = Answer(
    500, "INTERNAL_ERROR", message=_UNEXPECTED, log=lambda error: {"reason": str(error)}
)

# RFC 9110 requires a challenge with each 401; no browser asks for a password for our own scheme.
_CHALLENGE = {"WWW-Authenticate": 'ApiKey realm="automation-retry"'}
_RETRY_AFTER_1_S = {"Retry-After": "1"}

ANSWERS: Mapping[type[Exception], Answer] = MappingProxyType(
    {
        ApiKeyRequired: Answer(401, "UNAUTHORIZED", headers=lambda _: _CHALLENGE),
        InvalidApiKey: Answer(
            401,
            "UNAUTHORIZED",
            headers=lambda _: _CHALLENGE,
            log=lambda error: {"reason": error.reason},
        ),
        RateLimited: Answer(
            429,
            "RATE_LIMITED",
            details=lambda error: {
                "retry_after_ms": error.retry_after_ms,
                "remaining": error.remaining,
            },
            headers=lambda error: {
                "Retry-After": str(-(-error.retry_after_ms // 1000)),
                "X-RateLimit-Reset": utc_text(error.resets_at),
            },
        ),
        PermissionDenied: Answer(403, "FORBIDDEN"),
        InvalidExecutionId: Answer(400, "VALIDATION_ERROR"),
        InvalidQuery: Answer(
            400,
            "VALIDATION_ERROR",
            details=lambda error: [
                {"parameter": name, "expected": expected}
                for name, expected in error.expected.items()
            ],
        ),
        InvalidIdempotencyKey: Answer(400, "VALIDATION_ERROR"),
        IdempotencyKeyReused: Answer(422, "UNPROCESSABLE_ENTITY"),
        BodyIncomplete: Answer(400, "BAD_REQUEST"),
        BodyTimeout: Answer(408, "REQUEST_TIMEOUT"),
        # Appears only in the log; the status is that of nginx.
        CallerDisconnected: Answer(499, "CLIENT_CLOSED_REQUEST"),
        BodyTooLarge: Answer(
            413, "PAYLOAD_TOO_LARGE", details=lambda error: {"limit_bytes": error.limit}
        ),
        ExecutionNotFound: Answer(404, "NOT_FOUND"),
        ExecutionNotFailed: Answer(
            400,
            "BAD_REQUEST",
            details=lambda error: {
                "status": error.status.value,
                "retry_count": error.retry_count,
            },
        ),
        RetryConflict: Answer(409, "CONFLICT"),
        # What is wrong with the database is for its operators.
        UnreadableExecution: _INTERNAL,
        RetryNotStored: _INTERNAL,
        StorageFailed: _INTERNAL,
        StorageUnavailable: Answer(
            503,
            "SERVICE_UNAVAILABLE",
            headers=lambda _: _RETRY_AFTER_1_S,
            log=lambda error: {"reason": error.reason},
        ),
        NotReady: Answer(
            503,
            "SERVICE_UNAVAILABLE",
            details=lambda error: {"problems": list(error.problems)},
            headers=lambda _: _RETRY_AFTER_1_S,
            log=lambda error: {"problems": list(error.problems)},
        ),
        PathNotFound: Answer(404, "NOT_FOUND"),
        MethodNotAllowed: Answer(
            405, "METHOD_NOT_ALLOWED", headers=lambda error: {"Allow": ", ".join(error.allow)}
        ),
    }
)


def envelope(code: str, message: str, details: Any = None) -> dict[str, Any]:
    """AlgaPSA's error body; without details when there are none."""
    error = {"code": code, "message": message}
    return {"error": error if details is None else {**error, "details": details}}


async def answer_error(request: Request, error: Exception) -> Response:
    """The answer in the table for the error's class; an error without a row is raised again."""
    answer = ANSWERS.get(type(error))
    if answer is None:
        raise error
    context_of(request.scope).logged.update(answer.log(error))
    details = answer.details(error) if answer.details else None
    return JsonResponse(
        envelope(answer.code, answer.message or str(error), details),
        status_code=answer.status,
        headers=answer.headers(error),
    )


async def answer_routing_error(request: Request, error: Exception) -> Response:
    """Starlette's own 404 and 405 in the same envelope."""
    match error:
        case HTTPException(status_code=404):
            return await answer_error(request, PathNotFound())
        case HTTPException(status_code=405, headers={"Allow": allow}):
            return await answer_error(request, MethodNotAllowed(sorted(allow.split(", "))))
        case _:
            raise error


def unexpected() -> Response:
    """The answer to an error without a row, which tells the caller nothing about it."""
    return JsonResponse(envelope("INTERNAL_ERROR", _UNEXPECTED), status_code=500)
