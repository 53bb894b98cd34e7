"""Retry, read and list executions."""

from automation_retry.application.executions.attempts import ListFailedAttempts
from automation_retry.application.executions.bulk_answer import (
    BulkRetried,
    RefusedExecution,
    RetriedExecution,
)
from automation_retry.application.executions.bulk_retry import BulkRetry
from automation_retry.application.executions.expire_idempotency_keys import ExpireIdempotencyKeys
from automation_retry.application.executions.get import ExecutionSeen, GetExecution
from automation_retry.application.executions.list import ExecutionList, ListExecutions
from automation_retry.application.executions.retry import Retried, RetryExecution

__all__ = [
    "BulkRetried",
    "BulkRetry",
    "ExecutionList",
    "ExecutionSeen",
    "ExpireIdempotencyKeys",
    "GetExecution",
    "ListExecutions",
    "ListFailedAttempts",
    "RefusedExecution",
    "Retried",
    "RetriedExecution",
    "RetryExecution",
]
