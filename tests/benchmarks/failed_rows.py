"""The executions that are retried: rows of about 1 kB, alike but for their ids and their payloads.

Ids are spread over the index like random ones, but computed from a number, so that Python, SQL and
pgbench know the same rows.
"""

import hashlib
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, LiteralString
from uuid import UUID

from automation_retry.domain import Execution, ExecutionLog, ExecutionStatus, LogEntry, LogLevel

TENANT: Final = UUID("0be7c4f0-5d0c-4b5e-9a53-6f3f6a7b1c2d")
RULE: Final = UUID("5f0f5c0e-3f86-4c55-8f1b-9f6f0f1f7a11")
STARTED_AT: Final = datetime(2026, 11, 23, 22, 5, 0, 123456, tzinfo=UTC)
ERROR_MESSAGE: Final = "Graph API answered 429 Too Many Requests after 3 tries"
ERROR_STACK: Final = (
    "GraphError: 429 Too Many Requests\n"
    "    at GraphClient.request (/srv/engine/dist/connectors/graph.js:118:13)\n"
    "    at async assignLicences (/srv/engine/dist/actions/m365/licences.js:41:5)\n"
    "    at async runAction (/srv/engine/dist/runner.js:87:20)"
)
_LOGS: Final = ExecutionLog.of_entries(
    LogEntry(
        level=LogLevel.ERROR if action == 3 else LogLevel.INFO,
        message=f"{'Failed' if action == 3 else 'Done'}: action {action} of onboard-new-employee",
        timestamp=STARTED_AT + timedelta(milliseconds=700 * action),
        action_index=action,
        metadata={"connector": "graph", "tries": 1 + action},
    )
    for action in range(4)
)

# Numbers run from 1 to `count`; `failed_of_ten` says how many of each ten of them failed.
ADD_ROWS: LiteralString = """
INSERT INTO automation_executions (
    tenant, execution_id, automation_rule_id, trigger_data, status, started_at, completed_at,
    duration_ms, actions_total, actions_successful, actions_failed, error_message, error_stack,
    failed_action_index, execution_context, logs
)
SELECT %(tenant)s, md5('execution ' || n)::uuid, %(rule)s,
       jsonb_build_object('type', 'ticket.created', 'ticketNumber', 'TIC-' || n,
                          'requester', 'hr@contoso.example', 'tags', jsonb_build_array('vip')),
       CASE WHEN n %% 10 < %(failed_of_ten)s THEN 'failed' ELSE 'completed' END,
       %(started_at)s, %(started_at)s + interval '2750 ms', 2750.5, 4,
       CASE WHEN n %% 10 < %(failed_of_ten)s THEN 3 ELSE 4 END,
       CASE WHEN n %% 10 < %(failed_of_ten)s THEN 1 ELSE 0 END,
       CASE WHEN n %% 10 < %(failed_of_ten)s THEN %(error_message)s END,
       CASE WHEN n %% 10 < %(failed_of_ten)s THEN %(error_stack)s END,
       CASE WHEN n %% 10 < %(failed_of_ten)s THEN 3 END,
       jsonb_build_object('rule', 'onboard-new-employee', 'runner', 'runner-' || n %% 3),
       %(logs)s::jsonb
FROM generate_series(1, %(count)s) n
"""


def row_parameters(count: int, failed_of_ten: int = 10) -> dict[str, object]:
    """The parameters of ADD_ROWS."""
    return {
        "tenant": TENANT,
        "rule": RULE,
        "started_at": STARTED_AT,
        "error_message": ERROR_MESSAGE,
        "error_stack": ERROR_STACK,
        "logs": _LOGS.text,
        "count": count,
        "failed_of_ten": failed_of_ten,
    }


def execution_id(number: int) -> UUID:
    """The id of the row with that number."""
    return UUID(hashlib.md5(f"execution {number}".encode(), usedforsecurity=False).hexdigest())


def failed_execution(number: int) -> Execution:
    """The execution in the row with that number."""
    return Execution(
        tenant=TENANT,
        execution_id=execution_id(number),
        automation_rule_id=RULE,
        status=ExecutionStatus.FAILED,
        started_at=STARTED_AT,
        completed_at=STARTED_AT + timedelta(milliseconds=2750),
        duration_ms=2750.5,
        actions_total=4,
        actions_successful=3,
        actions_failed=1,
        error_message=ERROR_MESSAGE,
        error_stack=ERROR_STACK,
        failed_action_index=3,
        trigger_data={
            "type": "ticket.created",
            "ticketNumber": f"TIC-{number}",
            "requester": "hr@contoso.example",
            "tags": ["vip"],
        },
        execution_context={"rule": "onboard-new-employee", "runner": f"runner-{number % 3}"},
        logs=_LOGS,
    )


@lru_cache(maxsize=8)
def failed_ids(count: int, *, failed_of_ten: int = 10, most: int | None = None) -> Sequence[str]:
    """Ids of failed rows, all or the `most`, in an order that is not that of the rows."""
    drawn = count if most is None else min(count, most * 10)
    numbers = random.Random(4711).sample(range(1, count + 1), drawn)
    failed = [number for number in numbers if number % 10 < failed_of_ten][:most]
    return [str(execution_id(number)) for number in failed]
