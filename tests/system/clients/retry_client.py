"""Retries a failed execution by the client made from the document, and prints what it was told."""

import json
import os
import sys
from uuid import UUID

from automation_retry_client import AuthenticatedClient
from automation_retry_client.api.executions import (
    get_execution,
    list_failed_attempts,
    retry_execution,
)
from automation_retry_client.models import (
    ExecutionAnswer,
    ExecutionNotFailed,
    FailedAttemptPage,
    NotFound,
)

client = AuthenticatedClient(
    base_url=os.environ["SERVICE_URL"],
    token=os.environ["API_KEY"],
    prefix="",
    auth_header_name="x-api-key",
)
execution_id = UUID(os.environ["EXECUTION_ID"])

read = get_execution.sync(execution_id, client=client, x_tenant_id=os.environ["TENANT"])
assert isinstance(read, ExecutionAnswer)
assert read.data.completed_at

key = "order 4711"
retried = retry_execution.sync(execution_id, client=client, idempotency_key=key)
assert isinstance(retried, ExecutionAnswer)
replayed = retry_execution.sync_detailed(execution_id, client=client, idempotency_key=key)

again = retry_execution.sync(execution_id, client=client)
assert isinstance(again, ExecutionNotFailed)

attempts = list_failed_attempts.sync(execution_id, client=client, page=1, limit=10)
assert isinstance(attempts, FailedAttemptPage)
[attempt] = attempts.data

missing = get_execution.sync(UUID(int=0), client=client)
assert isinstance(missing, NotFound)

total: int = attempts.pagination.total
told = {
    "failed at": read.data.failed_action_index,
    "completed in": read.data.completed_at.year,
    "link": read.data.field_links.retry,
    "retried": [retried.data.status, retried.data.retry_count, retried.data.completed_at],
    "replayed": [replayed.status_code, replayed.headers["Idempotent-Replayed"]],
    "attempts": [total, attempt.attempt, attempt.error_message],
    "again": [again.error.code, again.error.details.status, again.error.details.retry_count],
    "missing": [missing.error.code, missing.error.message],
}
sys.stdout.write(json.dumps(told))
