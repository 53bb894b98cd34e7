"""What the documentation shows: one execution before and after its retry."""

from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

import attrs

from automation_retry.application import (
    BulkRetried,
    ExecutionFilter,
    ExecutionList,
    Page,
    PageRequest,
    Refusal,
    RefusedExecution,
    RetriedExecution,
)
from automation_retry.application.ports import ListedExecution
from automation_retry.domain import (
    Execution,
    ExecutionLog,
    ExecutionNotFailed,
    ExecutionStatus,
    FailedAttempt,
    LogEntry,
    LogLevel,
    Principal,
    Retry,
)
from automation_retry.entrypoints.http.wire.error_table import EXAMPLE_ID

_NOON: Final = datetime(2026, 11, 23, 12, tzinfo=UTC)
_TENANT: Final = UUID("6f1e4bd1-7a5c-4c6b-9d0e-0d8a3f0c2b11")
_ERROR: Final = "SMTP server did not answer"

FAILED: Final = Execution(
    tenant=_TENANT,
    execution_id=EXAMPLE_ID,
    automation_rule_id=UUID("2d83e6e4-0b5f-4f7a-9a54-1c7f0d9e6b32"),
    trigger_data={"ticket": 4711},
    status=ExecutionStatus.FAILED,
    started_at=_NOON,
    completed_at=_NOON + timedelta(seconds=2.75),
    duration_ms=2750.0,
    actions_total=4,
    actions_successful=2,
    actions_failed=1,
    error_message=_ERROR,
    error_stack=f"SmtpTimeout: {_ERROR}\n  at sendMail (mail.ts:42)",
    failed_action_index=2,
    logs=ExecutionLog.of_entries(
        [LogEntry(level=LogLevel.ERROR, message=_ERROR, timestamp=_NOON, action_index=2)]
    ),
)
RETRY: Final[Retry] = FAILED.retry(
    at=_NOON + timedelta(minutes=5),
    by=Principal(
        tenant=_TENANT,
        user_id=UUID("0b6f5a9c-3f0d-4a54-8f6e-5a2f8c1d7e90"),
        api_key_id=UUID("c7a0e1d2-95b4-4f38-a1c6-3e8d7b2f4a65"),
    ),
    request_id="ticket-4711",
)
LISTED_WANTED: Final = ExecutionFilter()
LISTED: Final = ExecutionList(
    items=[
        ListedExecution(
            **{
                attribute.name: getattr(FAILED, attribute.name)
                for attribute in attrs.fields(ListedExecution)
            }
        )
    ],
    limit=25,
    page=1,
    total=1,
    total_is_exact=True,
    next_cursor=None,
    may_execute=True,
)
ATTEMPTS: Final[Page[FailedAttempt]] = Page(
    items=[RETRY.failed_attempt], request=PageRequest(), total=1
)
_PENDING: Final = ExecutionNotFailed(
    UUID("0a4e8d7c-52f1-4b9e-8c63-7d1f2a3b4c5e"), ExecutionStatus.PENDING, 1
)
BULK_RETRIED: Final = BulkRetried(
    results=[
        RetriedExecution(execution_id=EXAMPLE_ID, retry_count=1),
        RefusedExecution(execution_id=_PENDING.execution_id, refusal=Refusal.of(_PENDING)),
    ]
)
