"""The one table of errors: what each is answered, and what the documentation says of it."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from attrs import field, frozen

from automation_retry.application import (
    ApiKeyRequired,
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
    ExecutionNotFailed,
    ExecutionStatus,
    InvalidExecutionId,
    PermissionDenied,
    UnreadableExecution,
    utc_text,
)
from automation_retry.entrypoints.http.wire.error_details import (
    invalid_parameters,
    problems,
    rate_limit,
    retry_state,
    size_limit,
)
from automation_retry.entrypoints.http.wire.errors import (
    BodyIncomplete,
    BodyTimeout,
    BodyTooLarge,
    CallerDisconnected,
    HeadTimeout,
    HeadTooLarge,
    MalformedRequest,
    MethodNotAllowed,
    NotReady,
    PathNotFound,
    RateLimited,
    TooManyConnections,
    UrlTooLong,
)
from automation_retry.entrypoints.http.wire.headers import (
    ALLOW,
    CHALLENGE,
    RATE_LIMIT_RESET,
    RETRY_AFTER,
)


def _reason(error: Any) -> Mapping[str, Any]:
    return {"reason": error.reason}


def _text(error: Exception) -> Mapping[str, Any]:
    return {"reason": str(error)}


def _nothing(_: Any) -> Mapping[str, Any]:
    return {}


def _one_second(_: Any) -> str:
    return "1"


@frozen(kw_only=True)
class Answer:
    """The answer to one class of errors."""

    status: int
    code: str
    when: str
    """For the documentation."""
    message: str | None = None
    """The error's own by default."""
    details: Callable[[Any], Any] | None = None
    """The type that it returns is the schema of the details."""
    headers: Mapping[str, Callable[[Any], str]] = field(factory=dict)
    log: Callable[[Any], Mapping[str, Any]] = _nothing
    """Fields of the request's log line, which the caller does not see."""
    example: Exception | None = None
    """For the documentation; None where the error is made from nothing."""


_CHALLENGE: Final = {CHALLENGE.name: lambda _: 'ApiKey realm="automation-retry"'}
"""RFC 9110 requires one with each 401; no browser asks for a password for our own scheme."""
_LATER: Final = {RETRY_AFTER.name: _one_second}

EXAMPLE_ID: Final = UUID("5fba69ef-1d4c-4f0e-8d3b-6f2a9c7e4b10")
_EXAMPLE_TIME: Final = datetime(2026, 11, 23, 12, tzinfo=UTC)

INTERNAL: Final = Answer(
    status=500,
    code="INTERNAL_ERROR",
    when="A stored value that no answer can express, a trigger that refused or discarded the "
    "update, or a bug. Nothing was written; the log has the reason under the request's id.",
    message="An unexpected error occurred",
    log=_text,
    example=StorageFailed(""),
)

ANSWERS: Final[Mapping[type[Exception], Answer]] = MappingProxyType(
    {
        ApiKeyRequired: Answer(
            status=401,
            code="UNAUTHORIZED",
            when="The request has no API key.",
            headers=_CHALLENGE,
        ),
        InvalidApiKey: Answer(
            status=401,
            code="UNAUTHORIZED",
            when="The key is unknown, revoked, expired or used up, belongs to another tenant than "
            "`x-tenant-id` says, or its user is inactive.",
            headers=_CHALLENGE,
            log=_reason,
            example=InvalidApiKey(""),
        ),
        RateLimited: Answer(
            status=429,
            code="RATE_LIMITED",
            when="Too many requests with one key: more than 120 at once, or more than 60 a minute. "
            "Only where the limit is enforced.",
            details=rate_limit,
            headers={
                RETRY_AFTER.name: lambda error: str(-(-error.retry_after_ms // 1000)),
                RATE_LIMIT_RESET.name: lambda error: utc_text(error.resets_at),
            },
            example=RateLimited(1500, 0, _EXAMPLE_TIME),
        ),
        PermissionDenied: Answer(
            status=403,
            code="FORBIDDEN",
            when="The key's user lacks the permission.",
            example=PermissionDenied(AUTOMATION_EXECUTE),
        ),
        InvalidExecutionId: Answer(
            status=400,
            code="VALIDATION_ERROR",
            when="The id is not 8-4-4-4-12 hexadecimal digits.",
            example=InvalidExecutionId(""),
        ),
        InvalidParameters: Answer(
            status=400,
            code="VALIDATION_ERROR",
            when="A parameter of the query, or a field of the body, is unknown, given twice or not "
            "what it may be.",
            details=invalid_parameters,
            example=InvalidParameters({"limit": "one whole number from 1 to 100"}),
        ),
        InvalidIdempotencyKey: Answer(
            status=400,
            code="VALIDATION_ERROR",
            when="The idempotency key is not 1 to 255 printable ASCII characters.",
            example=InvalidIdempotencyKey(""),
        ),
        IdempotencyKeyReused: Answer(
            status=422,
            code="UNPROCESSABLE_ENTITY",
            when="The idempotency key was used for another request.",
            example=IdempotencyKeyReused(""),
        ),
        QueryTooBroad: Answer(
            status=422,
            code="QUERY_TOO_BROAD",
            when="The query would take too long; narrow the time.",
            example=QueryTooBroad(3),
        ),
        MalformedRequest: Answer(
            status=400,
            code="BAD_REQUEST",
            when="The request is malformed HTTP.",
            example=MalformedRequest("Invalid header token"),
        ),
        BodyIncomplete: Answer(
            status=400, code="BAD_REQUEST", when="The body ended early. Nothing was done."
        ),
        HeadTimeout: Answer(
            status=408,
            code="REQUEST_TIMEOUT",
            when="The headers did not arrive within 10 s.",
            example=HeadTimeout(10),
        ),
        BodyTimeout: Answer(
            status=408,
            code="REQUEST_TIMEOUT",
            when="The body did not arrive within 30 s. Nothing was done.",
        ),
        # Appears only in the log; the status is that of nginx.
        CallerDisconnected: Answer(
            status=499, code="CLIENT_CLOSED_REQUEST", when="The caller disconnected."
        ),
        BodyTooLarge: Answer(
            status=413,
            code="PAYLOAD_TOO_LARGE",
            when="The body is larger than 1 MiB. Nothing was done.",
            details=size_limit,
            example=BodyTooLarge(1024 * 1024),
        ),
        UrlTooLong: Answer(
            status=414,
            code="URI_TOO_LONG",
            when="The URL is longer than 8 KiB.",
            example=UrlTooLong(8192),
        ),
        HeadTooLarge: Answer(
            status=431,
            code="REQUEST_HEADER_FIELDS_TOO_LARGE",
            when="The headers are larger than 64 KiB.",
            example=HeadTooLarge(65536),
        ),
        ExecutionNotFound: Answer(
            status=404,
            code="NOT_FOUND",
            when="The key's tenant has no such execution.",
            example=ExecutionNotFound(EXAMPLE_ID),
        ),
        ExecutionNotFailed: Answer(
            status=400,
            code="BAD_REQUEST",
            when="The execution is not failed.",
            details=retry_state,
            example=ExecutionNotFailed(EXAMPLE_ID, ExecutionStatus.PENDING, 1),
        ),
        RetryConflict: Answer(
            status=409,
            code="CONFLICT",
            when="The execution kept changing. Nothing was written.",
            example=RetryConflict(EXAMPLE_ID),
        ),
        RequestInProgress: Answer(
            status=409,
            code="CONFLICT",
            when="The first request with the idempotency key is still running, or ended without an "
            "answer less than a minute ago.",
            headers={RETRY_AFTER.name: lambda _: "5"},
            example=RequestInProgress(""),
        ),
        UnreadableExecution: INTERNAL,
        RetryNotStored: INTERNAL,
        StorageFailed: INTERNAL,
        StorageUnavailable: Answer(
            status=503,
            code="SERVICE_UNAVAILABLE",
            when="The database did not answer in time, a lock was held longer, or the service was "
            "stopped. The outcome is unknown: all of it or nothing.",
            headers=_LATER,
            log=_reason,
            example=StorageUnavailable(""),
        ),
        TooManyConnections: Answer(
            status=503,
            code="SERVICE_UNAVAILABLE",
            when="The service has no file descriptors for more connections.",
            headers=_LATER,
        ),
        NotReady: Answer(
            status=503,
            code="SERVICE_UNAVAILABLE",
            when="Retries cannot be accepted now.",
            details=problems,
            headers=_LATER,
            log=lambda error: {"problems": list(error.problems)},
            example=NotReady(["The database does not answer."]),
        ),
        PathNotFound: Answer(status=404, code="NOT_FOUND", when="The path does not exist."),
        MethodNotAllowed: Answer(
            status=405,
            code="METHOD_NOT_ALLOWED",
            when="The path supports other methods.",
            headers={ALLOW.name: lambda error: ", ".join(error.allow)},
            example=MethodNotAllowed(["GET", "HEAD"]),
        ),
    }
)
