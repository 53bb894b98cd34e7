"""What answers to errors say beyond their message; a function's return type is the schema."""

from collections.abc import Sequence

from attrs import frozen

from automation_retry.application import InvalidParameters, RetryState
from automation_retry.domain import ExecutionNotFailed
from automation_retry.entrypoints.http.wire.errors import (
    BodyTooLarge,
    NotReady,
    RateLimited,
)


@frozen
class RateLimitDetails:
    retry_after_ms: int
    remaining: int


@frozen
class InvalidParameter:
    parameter: str
    expected: str


@frozen
class SizeLimit:
    limit_bytes: int


@frozen
class ReadinessProblems:
    problems: Sequence[str]


def rate_limit(error: RateLimited) -> RateLimitDetails:
    return RateLimitDetails(error.retry_after_ms, error.remaining)


def invalid_parameters(error: InvalidParameters) -> Sequence[InvalidParameter]:
    return [InvalidParameter(name, expected) for name, expected in error.expected.items()]


def size_limit(error: BodyTooLarge) -> SizeLimit:
    return SizeLimit(error.limit)


def retry_state(error: ExecutionNotFailed) -> RetryState:
    return RetryState(error.status.value, error.retry_count)


def problems(error: NotReady) -> ReadinessProblems:
    return ReadinessProblems(error.problems)
