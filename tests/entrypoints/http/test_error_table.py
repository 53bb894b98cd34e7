import json
from collections.abc import Iterator
from uuid import UUID

import pytest
from starlette.requests import Request

from automation_retry.application import (
    ApiKeyRequired,
    ApplicationError,
    ExecutionNotFound,
    IdempotencyKeyReused,
    InvalidApiKey,
    InvalidIdempotencyKey,
    InvalidParameters,
    QueryTooBroad,
    RequestInProgress,
    RetryConflict,
    RetryNotStored,
    StorageFailed,
    StorageUnavailable,
)
from automation_retry.domain import (
    AUTOMATION_EXECUTE,
    DomainError,
    ExecutionNotFailed,
    ExecutionStatus,
    InvalidExecutionId,
    PermissionDenied,
    UnreadableExecution,
)
from automation_retry.entrypoints.http.wire.error_responses import answer_error
from automation_retry.entrypoints.http.wire.error_table import ANSWERS
from automation_retry.entrypoints.http.wire.errors import (
    BodyIncomplete,
    BodyTimeout,
    BodyTooLarge,
    CallerDisconnected,
    HeadTimeout,
    HeadTooLarge,
    HttpError,
    MalformedRequest,
    MethodNotAllowed,
    NotReady,
    PathNotFound,
    RateLimited,
    TooManyConnections,
    UrlTooLong,
)
from automation_retry.entrypoints.http.wire.request_context import context_of, open_context
from tests.support.factories import NOON

ID = UUID("6f8b1f5c-9f0e-4d3a-8f53-0a8c5d7e2b11")

UNEXPECTED = "An unexpected error occurred"

# error, status, code, message, details, headers of its own
ROWS = [
    (ApiKeyRequired(), 401, "UNAUTHORIZED", "API key required", None, ["www-authenticate"]),
    (InvalidApiKey("expired"), 401, "UNAUTHORIZED", "Invalid API key", None, ["www-authenticate"]),
    (
        RateLimited(1001, 0, NOON),
        429,
        "RATE_LIMITED",
        "Too many requests",
        {"retry_after_ms": 1001, "remaining": 0},
        ["retry-after", "x-ratelimit-reset"],
    ),
    (
        InvalidIdempotencyKey(""),
        400,
        "VALIDATION_ERROR",
        "Idempotency-Key must be 1 to 255 printable ASCII characters",
        None,
        [],
    ),
    (
        IdempotencyKeyReused("k"),
        422,
        "UNPROCESSABLE_ENTITY",
        "Idempotency-Key was used for another request",
        None,
        [],
    ),
    (
        RequestInProgress("k"),
        409,
        "CONFLICT",
        "The first request with this Idempotency-Key is still running",
        None,
        ["retry-after"],
    ),
    (
        PermissionDenied(AUTOMATION_EXECUTE),
        403,
        "FORBIDDEN",
        "Permission denied: Cannot execute automation",
        None,
        [],
    ),
    (
        InvalidExecutionId("{}"),
        400,
        "VALIDATION_ERROR",
        "Invalid automation ID format",
        None,
        [],
    ),
    (
        QueryTooBroad(3),
        422,
        "QUERY_TOO_BROAD",
        "The query takes more than 3 s; narrow the time, as with failed_from or started_from",
        None,
        [],
    ),
    (
        InvalidParameters({"limit": "one whole number from 1 to 100"}),
        400,
        "VALIDATION_ERROR",
        "Invalid parameter: limit",
        [{"parameter": "limit", "expected": "one whole number from 1 to 100"}],
        [],
    ),
    (CallerDisconnected(), 499, "CLIENT_CLOSED_REQUEST", "Client closed the request", None, []),
    (BodyTimeout(), 408, "REQUEST_TIMEOUT", "Request body took too long", None, []),
    (BodyIncomplete(), 400, "BAD_REQUEST", "Request body is incomplete", None, []),
    (
        BodyTooLarge(1024),
        413,
        "PAYLOAD_TOO_LARGE",
        "Request body exceeds 1024 bytes",
        {"limit_bytes": 1024},
        [],
    ),
    (ExecutionNotFound(ID), 404, "NOT_FOUND", "Execution not found", None, []),
    (
        ExecutionNotFailed(ID, ExecutionStatus.RUNNING, 3),
        400,
        "BAD_REQUEST",
        f"Only failed executions can be retried; execution {ID} is running",
        {"status": "running", "retry_count": 3},
        [],
    ),
    (
        RetryConflict(ID),
        409,
        "CONFLICT",
        f"Execution {ID} is being changed by others; retry it again",
        None,
        [],
    ),
    (UnreadableExecution(ID, ["actions_total"]), 500, "INTERNAL_ERROR", UNEXPECTED, None, []),
    (RetryNotStored(ID), 500, "INTERNAL_ERROR", UNEXPECTED, None, []),
    (StorageFailed("RaiseException"), 500, "INTERNAL_ERROR", UNEXPECTED, None, []),
    (
        StorageUnavailable("no route to host"),
        503,
        "SERVICE_UNAVAILABLE",
        "The service is temporarily unavailable",
        None,
        ["retry-after"],
    ),
    (
        NotReady(["fsync is off"]),
        503,
        "SERVICE_UNAVAILABLE",
        "Not ready",
        {"problems": ["fsync is off"]},
        ["retry-after"],
    ),
    (
        MalformedRequest("Invalid method"),
        400,
        "BAD_REQUEST",
        "Malformed HTTP request: Invalid method",
        None,
        [],
    ),
    (
        HeadTimeout(10),
        408,
        "REQUEST_TIMEOUT",
        "Request headers did not arrive within 10 s",
        None,
        [],
    ),
    (UrlTooLong(8192), 414, "URI_TOO_LONG", "URL exceeds 8192 bytes", None, []),
    (
        HeadTooLarge(65536),
        431,
        "REQUEST_HEADER_FIELDS_TOO_LARGE",
        "Request headers exceed 65536 bytes",
        None,
        [],
    ),
    (
        TooManyConnections(),
        503,
        "SERVICE_UNAVAILABLE",
        "Too many connections",
        None,
        ["retry-after"],
    ),
    (PathNotFound(), 404, "NOT_FOUND", "Not found", None, []),
    (
        MethodNotAllowed(["GET", "HEAD"]),
        405,
        "METHOD_NOT_ALLOWED",
        "Method not allowed",
        None,
        ["allow"],
    ),
]


def a_request() -> Request:
    scope = {"type": "http", "headers": []}
    open_context(scope, lambda: ID)
    return Request(scope)


def concrete(error: type[Exception]) -> Iterator[type[Exception]]:
    for kind in error.__subclasses__():
        if not kind.__module__.startswith("tests."):
            yield kind
        yield from concrete(kind)


def test_every_error_that_reaches_http_has_its_row() -> None:
    """And no row is left for an error that no longer exists."""
    errors = {
        kind for root in (DomainError, ApplicationError, HttpError) for kind in concrete(root)
    }

    assert errors == set(ANSWERS)


def test_every_row_is_spelled_out_here() -> None:
    """So that no row changes unseen."""
    assert {type(row[0]) for row in ROWS} == set(ANSWERS)


@pytest.mark.parametrize(
    ("error", "status", "code", "message", "details", "headers"),
    ROWS,
    ids=[type(row[0]).__name__ for row in ROWS],
)
async def test_an_error_becomes_its_answer(
    *,
    error: Exception,
    status: int,
    code: str,
    message: str,
    details: object,
    headers: list[str],
) -> None:
    """Status, code, message, details and headers are those of the table, in AlgaPSA's envelope."""
    answer = await answer_error(a_request(), error)

    expected = {"code": code, "message": message}
    if details is not None:
        expected["details"] = details  # type: ignore[assignment]
    always = {"content-length", "content-type", "cache-control"}
    assert answer.status_code == status
    assert json.loads(bytes(answer.body)) == {"error": expected}
    assert set(answer.headers) - always == set(headers)


async def test_an_error_without_a_row_passes_on() -> None:
    """The access log makes it a 500; a subclass does not inherit its parent's row."""

    class Unmapped(HttpError):
        pass

    with pytest.raises(Unmapped):
        await answer_error(a_request(), Unmapped())


async def test_retry_after_is_in_whole_seconds_rounded_up() -> None:
    """1001 ms becomes 2 s: a caller that returns then gets a token."""
    answer = await answer_error(a_request(), RateLimited(1001, 0, NOON))

    assert answer.headers["retry-after"] == "2"
    assert answer.headers["x-ratelimit-reset"] == "2026-11-23T12:00:00.123456Z"


@pytest.mark.parametrize("error", [InvalidApiKey("expired"), StorageUnavailable("expired")])
async def test_a_reason_goes_to_the_log_only(error: Exception) -> None:
    """The caller is told no more than the message."""
    request = a_request()

    answer = await answer_error(request, error)

    assert context_of(request.scope).logged == {"reason": "expired"}
    assert b"expired" not in bytes(answer.body)
