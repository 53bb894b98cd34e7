"""The commit of units of work: states, archived attempts, messages and answers in one statement."""

from typing import Final

# The UPDATE is a compare-and-swap: an execution whose state, generation or archived values are no
# longer those that were read loses, and its attempt, messages and answer with it. (A value that an
# engine wrote in between would otherwise be cleared without having been archived.) Locks rows in
# the order of their ids, so that two commits cannot deadlock, and waits for locked ones. Returns
# the executions that won. One round trip, with a few index lookups for each execution.
COMMIT_WAITING: Final = """
WITH change AS (
    SELECT c.tenant, c.execution_id, c.status, c.started_at, c.completed_at, c.duration_ms,
           c.actions_successful, c.actions_failed, c.error_message, c.error_stack,
           c.failed_action_index, c.retry_count, c.attempt, c.retried_at, c.retried_by,
           c.api_key_id, c.request_id, c.was_started_at, c.was_completed_at, c.was_duration_ms,
           c.was_actions_successful, c.was_actions_failed, c.was_error_message, c.was_error_stack,
           c.was_failed_action_index
    FROM jsonb_to_recordset(%(changes)s) AS c (
        tenant uuid, execution_id uuid, status text, started_at timestamptz,
        completed_at timestamptz, duration_ms double precision, actions_successful integer,
        actions_failed integer, error_message text, error_stack text, failed_action_index integer,
        retry_count integer, attempt integer, retried_at timestamptz, retried_by uuid,
        api_key_id uuid, request_id text, was_started_at timestamptz,
        was_completed_at timestamptz, was_duration_ms double precision,
        was_actions_successful integer, was_actions_failed integer, was_error_message text,
        was_error_stack text, was_failed_action_index integer
    )
), current AS MATERIALIZED (
    SELECT e.tenant, e.execution_id
    FROM automation_executions e
    JOIN change c ON c.tenant = e.tenant AND c.execution_id = e.execution_id
    WHERE e.status = 'failed' AND e.retry_count = c.attempt - 1
      AND e.started_at = c.was_started_at
      AND coalesce(e.actions_successful, 0) = c.was_actions_successful
      AND coalesce(e.actions_failed, 0) = c.was_actions_failed
      AND (e.completed_at, e.duration_ms::double precision, e.error_message, e.error_stack,
           e.failed_action_index)
          IS NOT DISTINCT FROM
          (c.was_completed_at, c.was_duration_ms, c.was_error_message, c.was_error_stack,
           c.was_failed_action_index)
    ORDER BY e.tenant, e.execution_id
    FOR NO KEY UPDATE OF e
), won AS (
    UPDATE automation_executions e
    SET status = c.status, started_at = c.started_at, completed_at = c.completed_at,
        duration_ms = c.duration_ms, actions_successful = c.actions_successful,
        actions_failed = c.actions_failed, error_message = c.error_message,
        error_stack = c.error_stack, failed_action_index = c.failed_action_index,
        retry_count = c.retry_count
    FROM current JOIN change c USING (tenant, execution_id)
    WHERE e.tenant = current.tenant AND e.execution_id = current.execution_id
    RETURNING e.tenant, e.execution_id
), archived AS (
    INSERT INTO automation_failed_attempts (
        tenant, execution_id, attempt, retried_at, retried_by, api_key_id, request_id, started_at,
        completed_at, duration_ms, actions_successful, actions_failed, error_message, error_stack,
        failed_action_index
    )
    SELECT c.tenant, c.execution_id, c.attempt, c.retried_at, c.retried_by, c.api_key_id,
           c.request_id, c.was_started_at, c.was_completed_at, c.was_duration_ms,
           c.was_actions_successful, c.was_actions_failed, c.was_error_message, c.was_error_stack,
           c.was_failed_action_index
    FROM won JOIN change c USING (tenant, execution_id)
), sent AS (
    INSERT INTO automation_outbox (tenant, id, kind, execution_id, attempt, body)
    SELECT m.tenant, m.id, m.kind, m.execution_id, m.attempt, m.body
    FROM jsonb_to_recordset(%(messages)s) AS m (
        tenant uuid, id uuid, kind text, execution_id uuid, attempt integer, body jsonb
    )
    JOIN won USING (tenant, execution_id)
), answered AS (
    INSERT INTO automation_idempotency_keys (
        tenant, caller, key, retried_at, execution_id, execution
    )
    SELECT a.tenant, a.caller, a.key, a.retried_at, a.execution_id, a.execution
    FROM jsonb_to_recordset(%(answers)s) AS a (
        tenant uuid, caller uuid, key text, retried_at timestamptz, execution_id uuid,
        execution jsonb
    )
    JOIN won USING (tenant, execution_id)
)
SELECT tenant, execution_id FROM won
"""

# The same without waiting: an execution that is locked loses at once. For groups of unrelated units
# of work, none of which may wait for a lock that concerns another.
COMMIT: Final = COMMIT_WAITING.replace(
    "FOR NO KEY UPDATE OF e", "FOR NO KEY UPDATE OF e SKIP LOCKED"
)

# The same, but an error (SQLSTATE 55P03) if an execution is locked; then nothing is written.
COMMIT_NOWAIT: Final = COMMIT_WAITING.replace(
    "FOR NO KEY UPDATE OF e", "FOR NO KEY UPDATE OF e NOWAIT"
)

# The constraint that a commit violates when another one wrote an answer for the same key.
ANSWER_EXISTS: Final = "automation_idempotency_keys_pkey"
