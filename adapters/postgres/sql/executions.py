"""`automation_executions` and `automation_failed_attempts`, outside units of work."""

from typing import Final

from psycopg.sql import SQL

from automation_retry.adapters.postgres.sql.columns import (
    TRUNCATED,
    composed,
    is_small,
    large,
    payload_hash,
)

_READ: Final = SQL("""
SELECT e.tenant, e.execution_id, e.automation_rule_id, e.status::text AS status, e.started_at,
       e.completed_at, e.duration_ms, e.actions_total, e.actions_successful, e.actions_failed,
       e.failed_action_index, e.retry_count""")

# The executions of those ids that exist, in no order: one index lookup each. What is not `small`
# comes without payloads and texts. The subqueries hide how many ids there are, which would have
# PostgreSQL plan the statement anew each time.
GET_EXECUTIONS: Final = composed(
    """{read}, size.small, CASE WHEN size.small THEN {payload_hash} END AS revision,
       CASE WHEN size.small THEN e.error_message END AS error_message,
       CASE WHEN size.small THEN e.error_stack END AS error_stack,
       CASE WHEN size.small THEN e.trigger_data::text END AS trigger_data,
       CASE WHEN size.small THEN e.execution_context::text END AS execution_context,
       CASE WHEN size.small THEN e.logs::text END AS logs
FROM unnest((SELECT %(tenants)s::uuid[]), (SELECT %(execution_ids)s::uuid[]))
     AS wanted (tenant, execution_id)
JOIN automation_executions e
  ON e.tenant = wanted.tenant AND e.execution_id = wanted.execution_id
CROSS JOIN LATERAL (SELECT {is_small} AS small OFFSET 0) size
""",
    read=_READ,
    is_small=is_small("e"),
    payload_hash=payload_hash("e"),
)

# One execution with its payloads and texts, except those that exceed the limit.
GET_LARGE_EXECUTION: Final = composed(
    """{read}, true AS small,
       CASE WHEN NOT large.error_message THEN e.error_message END AS error_message,
       CASE WHEN NOT large.error_stack THEN e.error_stack END AS error_stack,
       CASE WHEN NOT large.trigger_data THEN e.trigger_data::text END AS trigger_data,
       CASE WHEN NOT large.execution_context THEN e.execution_context::text END
           AS execution_context,
       CASE WHEN NOT large.logs THEN e.logs::text END AS logs,
       {truncated} AS truncated
FROM automation_executions e
CROSS JOIN LATERAL ({large}) large
WHERE e.tenant = %(tenant)s AND e.execution_id = %(execution_id)s
""",
    read=_READ,
    truncated=TRUNCATED,
    large=large("e"),
)

# The highest number of an attempt; its archive may have been deleted while a message waits. Two
# index lookups.
LAST_ATTEMPT: Final = """
SELECT greatest(
    (SELECT max(a.attempt) FROM automation_failed_attempts a
     WHERE a.tenant = %(tenant)s AND a.execution_id = %(execution_id)s),
    (SELECT max(o.attempt) FROM automation_outbox o
     WHERE o.tenant = %(tenant)s AND o.execution_id = %(execution_id)s),
    0
) AS attempt
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
FROM jsonb_populate_recordset(NULL::automation_executions, %(executions)s) AS e
"""

# The result of a run, fenced by `retry_count`: updates one row, or none for another attempt. What
# the result does not hold, such as a payload that was too large to be read, keeps its value.
REPORT: Final = """
UPDATE automation_executions e
SET automation_rule_id = n.automation_rule_id, status = n.status, started_at = n.started_at,
    completed_at = n.completed_at, duration_ms = n.duration_ms, actions_total = n.actions_total,
    actions_successful = n.actions_successful, actions_failed = n.actions_failed,
    error_message = CASE WHEN r.result ? 'error_message' THEN n.error_message
                         ELSE e.error_message END,
    error_stack = CASE WHEN r.result ? 'error_stack' THEN n.error_stack ELSE e.error_stack END,
    failed_action_index = n.failed_action_index,
    trigger_data = CASE WHEN r.result ? 'trigger_data' THEN n.trigger_data
                        ELSE e.trigger_data END,
    execution_context = CASE WHEN r.result ? 'execution_context' THEN n.execution_context
                             ELSE e.execution_context END,
    logs = CASE WHEN r.result ? 'logs' THEN n.logs ELSE e.logs END
FROM (SELECT %(result)s::jsonb AS result) r
CROSS JOIN LATERAL jsonb_populate_record(NULL::automation_executions, r.result) n
WHERE e.tenant = n.tenant AND e.execution_id = n.execution_id
  AND coalesce(e.retry_count, 0) = n.retry_count
"""

# A page, newest first, with the total; one row without an attempt when the page is empty, no row
# when there is no such execution. Counts all attempts of the execution and reads up to the page's
# end. Texts beyond the limit, or beyond four times the limit in all, are left out.
FAILED_ATTEMPTS: Final = """
SELECT a.tenant, a.execution_id, a.attempt, a.retried_at, a.retried_by, a.api_key_id, a.request_id,
       a.reason, a.started_at, a.completed_at, a.duration_ms, a.actions_successful,
       a.actions_failed,
       CASE WHEN a.message_fits THEN a.error_message END AS error_message,
       CASE WHEN a.stack_fits THEN a.error_stack END AS error_stack, a.failed_action_index,
       array_remove(ARRAY[
           CASE WHEN NOT a.message_fits THEN 'error_message' END,
           CASE WHEN NOT a.stack_fits THEN 'error_stack' END
       ], NULL) AS truncated,
       a.out_of_range, count.total
FROM automation_executions e
CROSS JOIN LATERAL (
    SELECT count(*) AS total FROM automation_failed_attempts c
    WHERE c.tenant = e.tenant AND c.execution_id = e.execution_id
) count
LEFT JOIN LATERAL (
    SELECT f.tenant, f.execution_id, f.attempt, f.retried_at, f.retried_by, f.api_key_id,
           f.request_id, f.reason, f.started_at, f.completed_at, f.duration_ms,
           f.actions_successful, f.actions_failed, f.error_message, f.error_stack,
           f.failed_action_index, f.out_of_range, f.message = 0 OR f.message <= %(limit)s
               AND sum(f.message + f.stack) OVER newest <= %(limit)s::bigint * 4 AS message_fits,
           f.stack = 0 OR f.stack <= %(limit)s
               AND sum(f.message + f.stack) OVER newest <= %(limit)s::bigint * 4 AS stack_fits
    FROM (
        SELECT p.tenant, p.execution_id, p.attempt, p.retried_at, p.retried_by, p.api_key_id,
               p.request_id, p.reason, p.started_at, p.completed_at, p.duration_ms,
               p.actions_successful, p.actions_failed, p.error_message, p.error_stack,
               p.failed_action_index, p.out_of_range,
               coalesce(octet_length(p.error_message), 0) AS message,
               coalesce(octet_length(p.error_stack), 0) AS stack
        FROM automation_failed_attempts p
        WHERE p.tenant = e.tenant AND p.execution_id = e.execution_id
        ORDER BY p.attempt DESC
        LIMIT %(page_size)s OFFSET %(offset)s
    ) f
    WINDOW newest AS (ORDER BY f.attempt DESC)
) a ON true
WHERE e.tenant = %(tenant)s AND e.execution_id = %(execution_id)s
ORDER BY a.attempt DESC
"""
