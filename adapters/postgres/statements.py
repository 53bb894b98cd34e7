"""Every SQL statement of this adapter, as constants. None is built by string formatting.

Values of JSON records (`jsonb_to_recordset`) travel in one parameter, so that a statement for one
execution and for a thousand is the same text with the same number of parameters.
"""

from typing import Final

# COALESCE only where an automation_executions that somebody else made may hold NULL.
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

ADD_EXECUTIONS: Final = """
INSERT INTO automation_executions (
    tenant, execution_id, automation_rule_id, status, started_at, completed_at, duration_ms,
    actions_total, actions_successful, actions_failed, error_message, error_stack,
    failed_action_index, trigger_data, execution_context, logs, retry_count
)
SELECT * FROM jsonb_to_recordset(%(executions)s) AS e (
    tenant uuid, execution_id uuid, automation_rule_id uuid, status text, started_at timestamptz,
    completed_at timestamptz, duration_ms double precision, actions_total integer,
    actions_successful integer, actions_failed integer, error_message text, error_stack text,
    failed_action_index integer, trigger_data jsonb, execution_context jsonb, logs jsonb,
    retry_count integer
)
"""

# One row even when the page is empty, none when there is no such execution.
FAILED_ATTEMPTS: Final = """
SELECT a.*, count.total
FROM automation_executions e
CROSS JOIN LATERAL (
    SELECT count(*) AS total FROM automation_failed_attempts c
    WHERE c.tenant = e.tenant AND c.execution_id = e.execution_id
) count
LEFT JOIN LATERAL (
    SELECT * FROM automation_failed_attempts f
    WHERE f.tenant = e.tenant AND f.execution_id = e.execution_id
    ORDER BY f.attempt DESC
    LIMIT %(limit)s OFFSET %(offset)s
) a ON true
WHERE e.tenant = %(tenant)s AND e.execution_id = %(execution_id)s
ORDER BY a.attempt DESC
"""

# The whole unit of work. The UPDATE is a compare-and-swap: an execution whose state, generation or
# archived values are no longer those that were read loses, and its attempt and messages with it.
# (A value that an engine wrote in between would otherwise be cleared without having been archived.)
# Rows are locked in the order of their ids, so that two of these cannot deadlock.
COMMIT_WAITING: Final = """
WITH change AS (
    SELECT * FROM jsonb_to_recordset(%(changes)s) AS c (
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

# The same, but an execution that somebody else holds locked loses at once: retries share this one
# that have nothing to do with each other, and none is to wait for a lock that another has met.
COMMIT: Final = COMMIT_WAITING.replace(
    "FOR NO KEY UPDATE OF e", "FOR NO KEY UPDATE OF e SKIP LOCKED"
)

ONE_ANSWER_A_KEY: Final = "automation_idempotency_keys_pkey"

# An expired answer makes room for a new one at once.
ANSWERED: Final = """
WITH expired AS (
    DELETE FROM automation_idempotency_keys
    WHERE tenant = %(tenant)s AND caller = %(caller)s AND key = %(key)s
      AND retried_at <= %(since)s
)
SELECT execution FROM automation_idempotency_keys
WHERE tenant = %(tenant)s AND caller = %(caller)s AND key = %(key)s AND retried_at > %(since)s
"""

REMOVE_ANSWERS: Final = """
DELETE FROM automation_idempotency_keys k
USING (
    SELECT tenant, caller, key FROM automation_idempotency_keys
    WHERE retried_at <= %(before)s
    ORDER BY retried_at
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
) old
WHERE k.tenant = old.tenant AND k.caller = old.caller AND k.key = old.key
"""

# A claim and what settles it must cost what they take, not what waits behind it. The statistics of
# a table that fills and empties are never right, and where they say that it is empty the planner
# finds it as cheap to read and sort all of it. So, to the end of the transaction, it uses indexes.
BY_INDEX: Final = """
SELECT set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'off', true)
"""

# OFFSET 0 keeps the look for earlier attempts from becoming a join with all that wait, and coalesce
# keeps it from their index, which would show it every one of them.
CLAIM: Final = """
SELECT o.ctid AS place, o.tenant, o.id, o.execution_id, o.attempt, o.body
FROM automation_outbox o
WHERE o.kind = %(kind)s AND o.dead_at IS NULL
  AND NOT EXISTS (
      SELECT FROM automation_outbox earlier
      WHERE earlier.tenant = o.tenant AND earlier.execution_id = o.execution_id
        AND earlier.kind = o.kind AND earlier.attempt < o.attempt
        AND coalesce(earlier.dead_at, 'infinity') = 'infinity'
      OFFSET 0
  )
ORDER BY o.enqueued_at
LIMIT %(limit)s
FOR UPDATE OF o SKIP LOCKED
"""

# By their places in the table: a row that the same transaction has locked stays where it is.
DELIVERED: Final = "DELETE FROM automation_outbox WHERE ctid = ANY(%(places)s::tid[])"

REFUSED: Final = """
UPDATE automation_outbox SET dead_at = now(), dead_reason = %(reason)s
WHERE tenant = %(tenant)s AND execution_id = %(execution_id)s
  AND kind = %(kind)s AND attempt = %(attempt)s
"""

BACKLOG: Final = """
SELECT kind, count(*) FILTER (WHERE dead_at IS NULL) AS waiting,
       min(enqueued_at) FILTER (WHERE dead_at IS NULL) AS oldest_at,
       count(*) FILTER (WHERE dead_at IS NOT NULL) AS dead
FROM automation_outbox
GROUP BY kind
"""

DEAD_LETTERS: Final = """
SELECT tenant, id, kind, execution_id, attempt, dead_reason AS reason
FROM automation_outbox
WHERE dead_at IS NOT NULL
ORDER BY dead_at, id
LIMIT %(limit)s
"""

RETRY_DEAD: Final = """
UPDATE automation_outbox SET dead_at = NULL, dead_reason = NULL WHERE dead_at IS NOT NULL
"""

# `refusal` is NULL for a valid key. A key without a limit costs no write: `counted` touches no row.
# Of concurrent uses of a limited key each waits for the one before and then compares anew, so that
# exactly as many are counted as the limit leaves.
AUTHENTICATE: Final = """
WITH found AS (
    SELECT k.tenant, k.api_key_id, k.user_id, k.usage_limit, k.last_used_at,
           CASE
               WHEN k.tenant <> %(tenant)s::uuid THEN 'it belongs to another tenant'
               WHEN k.active IS NOT TRUE THEN 'it is not active'
               WHEN k.expires_at <= now() THEN 'it has expired'
               WHEN coalesce(k.usage_count, 0) >= k.usage_limit THEN 'its usage limit is reached'
               WHEN u.user_id IS NULL THEN 'its user is not in its tenant'
               WHEN u.is_inactive THEN 'its user is inactive'
           END AS refusal
    FROM api_keys k
    LEFT JOIN users u ON u.tenant = k.tenant AND u.user_id = k.user_id
    WHERE k.api_key = %(digest)s
    ORDER BY refusal NULLS FIRST
    LIMIT 1
), counted AS (
    UPDATE api_keys k
    SET usage_count = coalesce(k.usage_count, 0) + 1, last_used_at = now()
    FROM found f
    WHERE k.tenant = f.tenant AND k.api_key_id = f.api_key_id AND f.refusal IS NULL
      AND f.usage_limit IS NOT NULL AND coalesce(k.usage_count, 0) < k.usage_limit
    RETURNING k.api_key_id
)
SELECT f.tenant, f.api_key_id, f.user_id,
       CASE
           WHEN f.refusal IS NULL AND f.usage_limit IS NOT NULL
                AND NOT EXISTS (SELECT FROM counted) THEN 'its usage limit is reached'
           ELSE f.refusal
       END AS refusal,
       f.usage_limit IS NOT NULL AS counted,
       f.usage_limit IS NULL
           AND coalesce(f.last_used_at < now() - interval '1 minute', true) AS touch,
       ARRAY(
           SELECT DISTINCT ARRAY[p.resource, p.action]
           FROM user_roles ur
           JOIN role_permissions rp ON rp.tenant = ur.tenant AND rp.role_id = ur.role_id
           JOIN permissions p ON p.tenant = rp.tenant AND p.permission_id = rp.permission_id
           WHERE ur.tenant = f.tenant AND ur.user_id = f.user_id
       ) AS permissions
FROM found f
"""

TOUCH_API_KEY: Final = """
UPDATE api_keys SET last_used_at = now()
WHERE tenant = %(tenant)s AND api_key_id = %(api_key_id)s
  AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')
"""

ENSURE_TENANT: Final = """
INSERT INTO tenants (tenant, company_name, email) VALUES (%(tenant)s, %(company_name)s, %(email)s)
ON CONFLICT DO NOTHING
"""

# hashed_password is no hash of anything: these users log in nowhere.
ADD_USER: Final = """
INSERT INTO users (tenant, user_id, username, hashed_password, email)
VALUES (%(tenant)s, %(user_id)s, %(username)s, '!', %(email)s)
"""

ADD_ROLE: Final = """
INSERT INTO roles (tenant, role_id, role_name, description)
VALUES (%(tenant)s, %(role_id)s, %(role_name)s, 'Made by automation-retry')
"""

FIND_ROLE: Final = (
    "SELECT role_id FROM roles WHERE tenant = %(tenant)s AND role_name = %(role_name)s"
)

ENSURE_USER_ROLE: Final = """
INSERT INTO user_roles (tenant, user_id, role_id)
VALUES (%(tenant)s, %(user_id)s, %(role_id)s)
ON CONFLICT DO NOTHING
"""

FIND_PERMISSION: Final = """
SELECT permission_id FROM permissions
WHERE tenant = %(tenant)s AND resource = %(resource)s AND action = %(action)s
"""

ADD_PERMISSION: Final = """
INSERT INTO permissions (tenant, permission_id, resource, action)
VALUES (%(tenant)s, %(permission_id)s, %(resource)s, %(action)s)
"""

GRANT: Final = """
INSERT INTO role_permissions (tenant, role_id, permission_id)
VALUES (%(tenant)s, %(role_id)s, %(permission_id)s)
ON CONFLICT DO NOTHING
"""

FIND_USER: Final = """
SELECT tenant, user_id, username FROM users
WHERE username = %(username)s AND (%(tenant)s::uuid IS NULL OR tenant = %(tenant)s)
ORDER BY tenant
"""

ADD_API_KEY: Final = """
INSERT INTO api_keys (
    tenant, api_key_id, api_key, user_id, description, active, created_at, updated_at, expires_at,
    usage_limit, usage_count
)
SELECT %(tenant)s, %(api_key_id)s, %(digest)s, %(user_id)s, %(description)s, true, now(), now(),
       %(expires_at)s, %(usage_limit)s, 0
WHERE NOT EXISTS (
    SELECT FROM api_keys WHERE tenant = %(tenant)s AND api_key = %(digest)s
)
"""

API_KEYS: Final = """
SELECT k.tenant, k.api_key_id, k.user_id, coalesce(u.username, '') AS username, k.description,
       k.active IS TRUE AS active, k.created_at, k.last_used_at, k.expires_at, k.usage_limit,
       coalesce(k.usage_count, 0) AS usage_count
FROM api_keys k LEFT JOIN users u ON u.tenant = k.tenant AND u.user_id = k.user_id
WHERE %(tenant)s::uuid IS NULL OR k.tenant = %(tenant)s
ORDER BY k.created_at, k.api_key_id
"""

REVOKE_API_KEY: Final = """
UPDATE api_keys SET active = false, updated_at = now() WHERE api_key_id = %(api_key_id)s
"""

# Held to the end of the transaction; numbers that no other advisory lock is likely to use.
LOCK_DIRECTORY: Final = "SELECT pg_advisory_xact_lock(4158023871920416321)"
LOCK_MIGRATIONS: Final = "SELECT pg_advisory_xact_lock(4158023871920416322)"

CREATE_MIGRATIONS: Final = """
CREATE TABLE IF NOT EXISTS automation_retry_migrations (
    name text PRIMARY KEY,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""

APPLIED_MIGRATIONS: Final = "SELECT name FROM automation_retry_migrations"

MIGRATION_APPLIED: Final = "INSERT INTO automation_retry_migrations (name) VALUES (%(name)s)"

MIGRATIONS_TABLE: Final = "SELECT to_regclass('automation_retry_migrations') IS NOT NULL AS made"

# Without any of these an acknowledged retry can be lost with the power.
DURABILITY: Final = """
SELECT name, setting FROM pg_settings
WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit') AND setting = 'off'
ORDER BY name
"""
