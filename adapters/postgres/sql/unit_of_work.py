"""The commit of units of work: states, archived attempts, messages and answers in one statement."""

from collections.abc import Mapping
from typing import Final, LiteralString

from psycopg.sql import SQL, Composed

from automation_retry.adapters.postgres.sql.columns import (
    TRUNCATED,
    composed,
    large,
    payload_hash,
    utc,
)

# Locks rows one by one in the order of their ids, each by an index lookup, so that two commits
# cannot deadlock. The compare-and-swap names no value that is archived: the archive is written from
# the locked row, so that nothing is cleared that is not archived. Rows whose kept values cannot be
# answered are left for the next read, which refuses them.
_LOCK: Final = """
WITH locked AS MATERIALIZED (
    SELECT c.tenant, c.execution_id, c.automation_rule_id, c.revision, c.actions_total, c.attempt,
           c.retried_at, c.retried_by, c.api_key_id, c.request_id, c.reason, c.reservation_id,
           c.after, c.started_at AS new_started_at, e.started_at, e.completed_at, e.duration_ms,
           e.actions_successful, e.actions_failed, e.error_message, e.error_stack,
           e.failed_action_index
    FROM (
        SELECT j.tenant, j.execution_id, j.automation_rule_id, j.before_count, j.revision,
               j.actions_total, j.attempt, j.retried_at, j.retried_by, j.api_key_id, j.request_id,
               j.reason, j.reservation_id, j.started_at, j.after
        FROM jsonb_to_recordset(%(changes)s) AS j (
            tenant uuid, execution_id uuid, automation_rule_id uuid, before_count bigint,
            revision bigint, actions_total bigint, attempt integer, retried_at timestamptz,
            retried_by uuid, api_key_id uuid, request_id text, reason text, reservation_id uuid,
            started_at timestamptz, after jsonb
        )
        ORDER BY j.tenant, j.execution_id
    ) c
    CROSS JOIN LATERAL (
        SELECT x.started_at, x.completed_at, x.duration_ms, x.actions_successful, x.actions_failed,
               x.error_message, x.error_stack, x.failed_action_index
        FROM automation_executions x
        WHERE x.tenant = c.tenant AND x.execution_id = c.execution_id
          AND x.status::text = 'failed' AND coalesce(x.retry_count, 0) = c.before_count
          AND x.automation_rule_id = c.automation_rule_id AND x.actions_total >= 0
        FOR NO KEY UPDATE"""

# `jsonb_populate_record` reads the new values as the columns' own types, with their rounding, under
# any DateStyle and TimeZone. `as_recorded`: stored is what the caller expects, to the last digit.
_WRITE: Final = composed(
    """
    ) e
), updated AS (
    UPDATE automation_executions e
    SET status = n.status, started_at = n.started_at, completed_at = n.completed_at,
        duration_ms = n.duration_ms, actions_successful = n.actions_successful,
        actions_failed = n.actions_failed, error_message = n.error_message,
        error_stack = n.error_stack, failed_action_index = n.failed_action_index,
        retry_count = n.retry_count
    FROM locked l
    CROSS JOIN LATERAL jsonb_populate_record(NULL::automation_executions, l.after) n
    WHERE e.tenant = l.tenant AND e.execution_id = l.execution_id
    RETURNING l.tenant, l.execution_id, e.automation_rule_id, e.status::text AS status,
        e.started_at, e.completed_at, e.duration_ms, e.actions_total, e.actions_successful,
        e.actions_failed, e.error_message, e.error_stack, e.failed_action_index, e.trigger_data,
        e.execution_context, e.logs, e.retry_count,
        l.attempt, l.retried_at, l.retried_by, l.api_key_id, l.request_id, l.reason,
        l.reservation_id,
        l.started_at AS was_started_at, l.completed_at AS was_completed_at,
        l.duration_ms AS was_duration_ms, l.actions_successful AS was_actions_successful,
        l.actions_failed AS was_actions_failed, l.error_message AS was_error_message,
        l.error_stack AS was_error_stack, l.failed_action_index AS was_failed_action_index,
        (CASE WHEN l.revision IS NOT NULL THEN l.revision = {payload_hash} END
            AND e.automation_rule_id = l.automation_rule_id AND e.actions_total = l.actions_total
            AND {stored_started_at} = l.new_started_at
            AND (e.status::text, e.started_at, e.completed_at, e.duration_ms, e.actions_successful,
                 e.actions_failed, e.error_message, e.error_stack, e.failed_action_index,
                 e.retry_count)
                IS NOT DISTINCT FROM
                (n.status::text, n.started_at, n.completed_at, n.duration_ms, n.actions_successful,
                 n.actions_failed, n.error_message, n.error_stack, n.failed_action_index,
                 n.retry_count)
        ) IS TRUE AS as_recorded
), archived AS (
    INSERT INTO automation_failed_attempts (
        tenant, execution_id, attempt, retried_at, retried_by, api_key_id, request_id, reason,
        reservation_id, started_at, completed_at, duration_ms, actions_successful, actions_failed,
        error_message, error_stack, failed_action_index, out_of_range
    )
    SELECT u.tenant, u.execution_id, u.attempt, u.retried_at, u.retried_by, u.api_key_id,
           u.request_id, u.reason, u.reservation_id,
           CASE WHEN fits.started_at THEN {was_started_at} END,
           CASE WHEN fits.completed_at THEN {was_completed_at} END,
           CASE WHEN fits.duration_ms THEN u.was_duration_ms END,
           CASE WHEN fits.actions_successful THEN u.was_actions_successful END,
           CASE WHEN fits.actions_failed THEN u.was_actions_failed END,
           u.was_error_message, u.was_error_stack,
           CASE WHEN fits.failed_action_index THEN u.was_failed_action_index END,
           CASE WHEN NOT (fits.started_at AND fits.completed_at AND fits.duration_ms
                          AND fits.actions_successful AND fits.actions_failed
                          AND fits.failed_action_index)
               THEN jsonb_strip_nulls(jsonb_build_object(
                   'started_at', CASE WHEN NOT fits.started_at THEN u.was_started_at END,
                   'completed_at', CASE WHEN NOT fits.completed_at THEN u.was_completed_at END,
                   'duration_ms', CASE WHEN NOT fits.duration_ms THEN u.was_duration_ms::text END,
                   'actions_successful',
                   CASE WHEN NOT fits.actions_successful THEN u.was_actions_successful::text END,
                   'actions_failed',
                   CASE WHEN NOT fits.actions_failed THEN u.was_actions_failed::text END,
                   'failed_action_index',
                   CASE WHEN NOT fits.failed_action_index THEN u.was_failed_action_index::text END
               )) END
    FROM updated u
    CROSS JOIN LATERAL (
        SELECT coalesce(NOT isfinite(u.was_started_at) OR u.was_started_at < '20200-01-01', true)
                   AS started_at,
               coalesce(NOT isfinite(u.was_completed_at) OR u.was_completed_at < '20200-01-01',
                        true) AS completed_at,
               coalesce(
                   u.was_duration_ms::text IN ('NaN', 'Infinity', '-Infinity', '0')
                   OR abs(u.was_duration_ms::numeric) BETWEEN 1e-307 AND 1.7e308, true
               ) OR u.was_duration_ms = 0 AS duration_ms,
               coalesce(u.was_actions_successful BETWEEN -2147483648 AND 2147483647, true)
                   AS actions_successful,
               coalesce(u.was_actions_failed BETWEEN -2147483648 AND 2147483647, true)
                   AS actions_failed,
               coalesce(u.was_failed_action_index BETWEEN -2147483648 AND 2147483647, true)
                   AS failed_action_index
    ) fits
), key AS (
    SELECT k.tenant, k.caller, k.key, k.execution_id
    FROM jsonb_to_recordset(%(keys)s) AS k (tenant uuid, caller uuid, key text, execution_id uuid)
), stored AS (
    SELECT u.tenant, u.execution_id, u.as_recorded, u.retried_at,
           jsonb_strip_nulls(jsonb_build_object(
               'tenant', u.tenant, 'execution_id', u.execution_id,
               'automation_rule_id', u.automation_rule_id, 'status', u.status,
               'started_at', {started_at}, 'completed_at', {completed_at},
               'duration_ms', u.duration_ms, 'actions_total', u.actions_total,
               'actions_successful', u.actions_successful, 'actions_failed', u.actions_failed,
               'error_message', CASE WHEN NOT large.error_message THEN u.error_message END,
               'error_stack', CASE WHEN NOT large.error_stack THEN u.error_stack END,
               'failed_action_index', u.failed_action_index, 'retry_count', u.retry_count,
               'truncated', {truncated}
           )) AS record,
           CASE WHEN NOT large.trigger_data THEN u.trigger_data END AS trigger_data,
           CASE WHEN NOT large.execution_context THEN u.execution_context END AS execution_context,
           CASE WHEN NOT large.logs THEN u.logs END AS logs
    FROM updated u
    CROSS JOIN LATERAL ({large}) large
    WHERE NOT u.as_recorded
       OR (u.tenant, u.execution_id) IN (SELECT k.tenant, k.execution_id FROM key k)
), answered AS (
    INSERT INTO automation_idempotency_keys (
        tenant, caller, key, retried_at, execution_id, execution
    )
    SELECT k.tenant, k.caller, k.key, s.retried_at, k.execution_id,
           s.record
           || CASE WHEN s.trigger_data IS NULL THEN jsonb_build_object()
                   ELSE jsonb_build_object('trigger_data', s.trigger_data) END
           || CASE WHEN s.execution_context IS NULL THEN jsonb_build_object()
                   ELSE jsonb_build_object('execution_context', s.execution_context) END
           || CASE WHEN s.logs IS NULL THEN jsonb_build_object()
                   ELSE jsonb_build_object('logs', s.logs) END
    FROM key k
    JOIN stored s USING (tenant, execution_id)
)""",
    payload_hash=payload_hash("e"),
    stored_started_at=utc("e.started_at"),
    was_started_at=utc("u.was_started_at"),
    was_completed_at=utc("u.was_completed_at"),
    started_at=utc("u.started_at"),
    completed_at=utc("u.completed_at"),
    truncated=TRUNCATED,
    large=large("u"),
)

# Earlier messages are found by the primary key; coalesce keeps the partial indexes, which hold the
# whole backlog, out.
_MESSAGES: Final = """, sent AS MATERIALIZED (
    SELECT m.tenant, m.id, m.kind, m.execution_id, m.attempt, m.body,
           m.kind <> ALL ({handed_over}) OR EXISTS (
               SELECT FROM automation_outbox earlier
               WHERE earlier.tenant = m.tenant AND earlier.execution_id = m.execution_id
                 AND earlier.kind = m.kind AND coalesce(earlier.dead_at, 'infinity') = 'infinity'
               OFFSET 0
           ) AS waits
    FROM jsonb_to_recordset(%(messages)s) AS m (
        tenant uuid, id uuid, kind text, execution_id uuid, attempt integer, body jsonb
    )
    JOIN updated USING (tenant, execution_id, attempt)
), kept AS (
    INSERT INTO automation_outbox (tenant, id, kind, execution_id, attempt, body)
    SELECT m.tenant, m.id, m.kind, m.execution_id, m.attempt, m.body FROM sent m WHERE m.waits
    RETURNING kind
)"""

_HAND_OVER: Final = """, {name} AS MATERIALIZED (
    WITH message AS (
        SELECT m.kind, m.body FROM sent m WHERE m.kind = ANY ({kinds}) AND NOT m.waits
    )
    {query}
)"""

_RETURN: Final = """
SELECT l.tenant, l.execution_id, u.tenant IS NULL AS discarded, s.record,
       s.trigger_data::text AS trigger_data, s.execution_context::text AS execution_context,
       s.logs::text AS logs, (SELECT count(*) FROM kept) > 0 AS in_outbox"""

# A query that calls a volatile function runs only if its result is used.
_HANDED_OVER: Final = ", (SELECT h.handed_over FROM {name} h) AS {name}"

_FROM: Final = """
FROM locked l
LEFT JOIN updated u USING (tenant, execution_id)
LEFT JOIN stored s
  ON s.tenant = l.tenant AND s.execution_id = l.execution_id AND NOT s.as_recorded
"""

# Frees what no session has to read any more of the NOTIFY queue. When it was full, and the session
# that held it up has ended, PostgreSQL does so only when it is asked for the usage.
FREE_NOTIFY_QUEUE: Final = "SELECT pg_notification_queue_usage()"

# The constraint that a commit violates when another one wrote an answer for the same key.
ANSWER_EXISTS: Final = "automation_idempotency_keys_pkey"

# The tables whose key a commit violates when the number of its attempt is used already.
ATTEMPTS: Final = frozenset({"automation_failed_attempts", "automation_outbox"})


def commit(hand_over: Mapping[str, LiteralString], locking: LiteralString = "") -> LiteralString:
    """The statement that commits units of work; returns the executions that it locked.

    One round trip, with a few index lookups for each execution. `locking` is what becomes of
    executions that are locked elsewhere: they are waited for, or `SKIP LOCKED` (then they lose), or
    `NOWAIT` (then nothing is written, SQLSTATE 55P03).

    `hand_over` has, for kinds of messages whose broker is in the same database, a query that hands
    over the messages of the relation `message (kind text, body jsonb)` and returns their number as
    `handed_over`, and divides by zero if one of them was discarded; one for several kinds runs
    once. A message takes the outbox all the same while an earlier one of its execution and kind
    waits there.
    """
    kinds_of: dict[LiteralString, list[str]] = {}
    for kind, query in hand_over.items():
        kinds_of.setdefault(query, []).append(kind)
    names = {query: SQL(f"handed_over_{number}") for number, query in enumerate(kinds_of)}
    return "".join(
        [
            f"{_LOCK} {locking}",
            _WRITE,
            composed(_MESSAGES, handed_over=_array(list(hand_over))),
            *[
                composed(_HAND_OVER, name=names[query], kinds=_array(kinds), query=SQL(query))
                for query, kinds in kinds_of.items()
            ],
            _RETURN,
            *[composed(_HANDED_OVER, name=name) for name in names.values()],
            _FROM,
        ]
    )


def _array(texts: list[str]) -> Composed:
    return SQL("{}::text[]").format(texts)
