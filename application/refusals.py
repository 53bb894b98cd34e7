"""Why one of several executions was not retried: what the retry of that one alone would answer."""

from attrs import frozen

from automation_retry.application.errors import (
    ExecutionNotFound,
    RetryConflict,
    RetryNotStored,
    StorageFailed,
)
from automation_retry.domain import ExecutionNotFailed, UnreadableExecution

RefusedRetry = (
    ExecutionNotFound
    | ExecutionNotFailed
    | RetryConflict
    | UnreadableExecution
    | RetryNotStored
    | StorageFailed
)
"""What concerns one execution only, so that the others can be retried."""


@frozen
class RetryState:
    """The state in which an execution cannot be retried."""

    status: str
    retry_count: int


@frozen(kw_only=True)
class Refusal:
    """Code, message and details of the error that the retry of this execution alone gets."""

    code: str
    message: str
    details: RetryState | None = None

    @classmethod
    def of(cls, error: RefusedRetry) -> "Refusal":
        match error:
            case ExecutionNotFound():
                return cls(code="NOT_FOUND", message=str(error))
            case ExecutionNotFailed():
                state = RetryState(error.status.value, error.retry_count)
                return cls(code="BAD_REQUEST", message=str(error), details=state)
            case RetryConflict():
                return cls(code="CONFLICT", message=str(error))
            case _:
                return cls(code="INTERNAL_ERROR", message="An unexpected error occurred")
