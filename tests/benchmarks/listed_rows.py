"""The executions that are listed: a month of them in two tenants, every tenth failed.

Their ids are those of `failed_rows`. The failures fall in some 260 groups.
"""

from datetime import timedelta
from typing import Final, LiteralString
from uuid import uuid4

from tests.benchmarks.arena import Arena
from tests.benchmarks.failed_rows import ERROR_STACK, STARTED_AT, TENANT

FAILED_OF_TEN: Final = 1
DAYS: Final = 30
ENDS_AT: Final = STARTED_AT + timedelta(days=1)
"""All have started, and those that have ended have ended before."""
A_RULE: Final = "00000000-0000-4000-8000-000000000000"
"""With a fortieth of all executions, and a quarter of the failed ones."""

_ADD_ROWS: LiteralString = """
INSERT INTO automation_executions (
    tenant, execution_id, automation_rule_id, trigger_data, status, started_at, completed_at,
    duration_ms, actions_total, actions_successful, actions_failed, error_message, error_stack,
    failed_action_index, execution_context, logs
)
SELECT tenant, md5('execution ' || n)::uuid,
       ('00000000-0000-4000-8000-' || lpad((n %% 40)::text, 12, '0'))::uuid,
       jsonb_build_object('type', 'ticket.created', 'ticketNumber', 'TIC-' || n,
                          'requester', 'hr@contoso.example', 'tags', jsonb_build_array('vip')),
       CASE WHEN failed THEN 'failed' WHEN n %% 1000 = 3 THEN 'running' ELSE 'completed' END,
       started_at,
       CASE WHEN n %% 1000 <> 3 THEN started_at + n %% 50 * interval '1 second' END,
       CASE WHEN n %% 1000 <> 3 THEN n %% 50 * 1000.0 END,
       4, CASE WHEN failed THEN n / 10 %% 4 ELSE 4 END, CASE WHEN failed THEN 1 ELSE 0 END,
       CASE WHEN failed THEN (ARRAY[
           'SMTP 421 4.3.2 Service shutting down, message %% was not queued',
           'connect ECONNREFUSED 198.51.100.25:587, try %%',
           'No answer from mail.contoso.example within %% ms',
           'User <client.%%@fabrikam.example> unknown',
           'Graph API answered 429 Too Many Requests, request %%'
       ])[1 + n / 7 %% 5]
           || CASE WHEN n %% 20 = 0 THEN ' in step ' || chr(97 + n / 20 %% 26) ELSE '' END
           || ', ' || n END,
       CASE WHEN failed THEN %(error_stack)s END, CASE WHEN failed THEN n / 10 %% 4 END,
       jsonb_build_object('rule', 'onboard-new-employee', 'runner', 'runner-' || n %% 3),
       jsonb_build_array(jsonb_build_object('level', 'info', 'message', 'Rule triggered'))
FROM unnest(%(tenants)s::uuid[]) AS tenant
CROSS JOIN (
    SELECT n, n %% 10 < %(failed_of_ten)s AS failed,
           %(ends_at)s - %(days)s * interval '1 day' * n / %(count)s - interval '1 minute'
               AS started_at
    FROM generate_series(1, %(count)s) n
) numbered
"""


def fill(arena: Arena, count: int) -> None:
    """Adds so many executions to `TENANT`, and as many to another, on disk and analysed."""
    with arena.without_indexes():
        arena.execute(
            _ADD_ROWS,
            {
                "tenants": [TENANT, uuid4()],
                "count": count,
                "failed_of_ten": FAILED_OF_TEN,
                "ends_at": ENDS_AT,
                "days": DAYS,
                "error_stack": ERROR_STACK,
            },
        )
    arena.settle()
