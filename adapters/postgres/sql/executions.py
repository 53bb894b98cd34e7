"""`automation_executions` and `automation_failed_attempts`, outside units of work."""

from typing import Final

# The executions of those ids that exist, in no order: one index lookup each. Coalesces what an
# automation_executions that was not created by our migration may hold as NULL.
GET_EXECUTIONS: Final = """
SELECT e.tenant, e.execution_id, e.automation_rule_id, e.status, e.started_at, e.completed_at,
       e.duration_ms, e.actions_total, coalesce(e.actions_successful, 0) AS actions_successful,
       coalesce(e.actions_failed, 0) AS actions_failed, e.error_message, e.error_stack,
       e.failed_action_index, coalesce(e.trigger_data, '{}') AS trigger_data,
       coalesce(e.execution_context, '{}') AS execution_context, coalesce(e.logs, '[]') AS logs,
       e.retry_count
FROM unnest(%(tenants)s::uuid[], %(execution_ids)s::uuid[]) AS wanted (tenant, execution_id)
JOIN automation_executions e
  ON e.tenant = wanted.tenant AND e.execution_id = wanted.execution_id
"""

# All or none: an id that exists is a unique violation.
ADD_EXECUTIONS: Final = """
INSERT INTO automation_executions (
    tenant, execution_id, automation_rule_id, status, started_at, completed_at, duration_ms,
    actions_total, actions_successful, actions_failed, error_message, error_stack,
    failed_action_index, trigger_data, execution_context, logs, retry_count
)
SELECT e.tenant, e.execution_id, e.automation_rule_id, e.status, e.started_at, e.completed_at,
       e.duration_ms, e.actions_total, e.actions_successful, e.actions_failed, e.error_message,
       e.error_stack, e.failed_action_index, e.trigger_data, e.execution_context, e.logs,
       e.retry_count
FROM jsonb_to_recordset(%(executions)s) AS e (
    tenant uuid, execution_id uuid, automation_rule_id uuid, status text, started_at timestamptz,
    completed_at timestamptz, duration_ms double precision, actions_total integer,
    actions_successful integer, actions_failed integer, error_message text, error_stack text,
    failed_action_index integer, trigger_data jsonb, execution_context jsonb, logs jsonb,
    retry_count integer
)
"""

# The result of a run, fenced by `retry_count`: updates one row, or none for another attempt.
REPORT: Final = """
UPDATE automation_executions e
SET automation_rule_id = n.automation_rule_id, status = n.status, started_at = n.started_at,
    completed_at = n.completed_at, duration_ms = n.duration_ms, actions_total = n.actions_total,
    actions_successful = n.actions_successful, actions_failed = n.actions_failed,
    error_message = n.error_message, error_stack = n.error_stack,
    failed_action_index = n.failed_action_index, trigger_data = n.trigger_data,
    execution_context = n.execution_context, logs = n.logs
FROM jsonb_populate_record(NULL::automation_executions, %(result)s) n
WHERE e.tenant = n.tenant AND e.execution_id = n.execution_id AND e.retry_count = n.retry_count
"""

# A page, newest first, with the total; one row without an attempt when the page is empty, no row
# when there is no such execution. Counts all attempts of the execution and reads up to the page's
# end.
FAILED_ATTEMPTS: Final = """
SELECT a.tenant, a.execution_id, a.attempt, a.retried_at, a.retried_by, a.api_key_id, a.request_id,
       a.started_at, a.completed_at, a.duration_ms, a.actions_successful, a.actions_failed,
       a.error_message, a.error_stack, a.failed_action_index, count.total
FROM automation_executions e
CROSS JOIN LATERAL (
    SELECT count(*) AS total FROM automation_failed_attempts c
    WHERE c.tenant = e.tenant AND c.execution_id = e.execution_id
) count
LEFT JOIN LATERAL (
    SELECT f.tenant, f.execution_id, f.attempt, f.retried_at, f.retried_by, f.api_key_id,
           f.request_id, f.started_at, f.completed_at, f.duration_ms, f.actions_successful,
           f.actions_failed, f.error_message, f.error_stack, f.failed_action_index
    FROM automation_failed_attempts f
    WHERE f.tenant = e.tenant AND f.execution_id = e.execution_id
    ORDER BY f.attempt DESC
    LIMIT %(limit)s OFFSET %(offset)s
) a ON true
WHERE e.tenant = %(tenant)s AND e.execution_id = %(execution_id)s
ORDER BY a.attempt DESC
"""
