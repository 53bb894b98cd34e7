"""Failed executions in groups."""

from functools import lru_cache
from typing import Final, LiteralString

from psycopg.sql import SQL

from automation_retry.adapters.postgres.sql import selection

# `walk` finds each group by one index lookup, and `cell` counts its rows along the same index, so
# that no message is folded again: OFFSET keeps the planner from a join that folds all. Each row is
# read for its count; those of a group at a time, which takes little memory.
# Only what is shown is folded, for its pattern. There is always one row at least, for the numbers
# about all groups; without a group if there is none.
_GROUPS: Final = SQL("""
WITH RECURSIVE walk AS (
    (SELECT {group} AS failure_group, e.automation_rule_id
     FROM automation_executions e
     WHERE {of_tenant} AND {failed}
     ORDER BY {group}
     LIMIT 1)
    UNION ALL
    SELECT next.failure_group, next.automation_rule_id
    FROM walk w
    CROSS JOIN LATERAL (
        SELECT {group} AS failure_group, e.automation_rule_id
        FROM automation_executions e
        WHERE {of_tenant} AND {failed} AND {group} > w.failure_group
        ORDER BY {group}
        LIMIT 1
    ) next
), cell AS MATERIALIZED (
    SELECT w.failure_group, w.automation_rule_id, c.bucket, c.number, c.first_failed_at,
           c.last_failed_at, c.before_first_action
    FROM walk w
    CROSS JOIN LATERAL (
        SELECT f.bucket, count(*) AS number, min(f.failed_at) AS first_failed_at,
               max(f.failed_at) AS last_failed_at,
               count(*) FILTER (WHERE f.before_first_action) AS before_first_action
        FROM (
            SELECT {failed_at} AS failed_at,
                   coalesce(e.actions_successful, 0) = 0 AS before_first_action,
                   floor(
                       (extract(epoch FROM {failed_at})::double precision - %(starts_at)s)
                       / %(bucket_s)s
                   )::integer AS bucket
            FROM automation_executions e
            WHERE {of_tenant} AND {failed} AND {group} = w.failure_group
              AND {failed_at} >= %(failed_from)s AND {failed_at} < %(failed_to)s{and_contains}
            OFFSET 0
        ) f
        GROUP BY f.bucket
    ) c
    {of_rule}
), grouped AS MATERIALIZED (
    SELECT c.failure_group, c.automation_rule_id, sum(c.number)::bigint AS number,
           min(c.first_failed_at) AS first_failed_at, max(c.last_failed_at) AS last_failed_at,
           sum(c.before_first_action)::bigint AS before_first_action
    FROM cell c
    GROUP BY c.failure_group, c.automation_rule_id
), shown AS MATERIALIZED (
    SELECT g.failure_group, g.automation_rule_id, g.number, g.first_failed_at, g.last_failed_at,
           g.before_first_action,
           row_number() OVER (
               ORDER BY g.number DESC, g.last_failed_at DESC, g.failure_group < 0, g.failure_group
           ) AS place
    FROM grouped g
    ORDER BY place
    LIMIT %(limit)s
), timeline AS (
    SELECT c.failure_group, jsonb_object_agg(c.bucket, c.number) AS counts
    FROM cell c
    WHERE c.failure_group IN (SELECT s.failure_group FROM shown s)
    GROUP BY c.failure_group
)
SELECT t.groups, t.executions, t.counts AS all_counts, s.failure_group, s.automation_rule_id,
       s.number, s.first_failed_at, s.last_failed_at, s.before_first_action, l.counts,
       x.execution_id AS example_id, x.message AS example_message, x.pattern
FROM (
    SELECT (SELECT count(*) FROM grouped) AS groups,
           (SELECT coalesce(sum(g.number), 0)::bigint FROM grouped g) AS executions,
           (SELECT jsonb_object_agg(b.bucket, b.number) FROM (
               SELECT c.bucket, sum(c.number)::bigint AS number FROM cell c GROUP BY c.bucket
           ) b) AS counts
) t
LEFT JOIN shown s ON true
LEFT JOIN timeline l ON l.failure_group = s.failure_group
LEFT JOIN LATERAL (
    SELECT e.execution_id, left(e.error_message, 1000) AS message,
           automation_retry_failure_pattern(e.error_message) AS pattern
    FROM automation_executions e
    WHERE {of_tenant} AND {failed} AND {group} = s.failure_group
      AND {failed_at} >= %(failed_from)s AND {failed_at} < %(failed_to)s{and_contains}
    ORDER BY {failed_at} DESC, e.execution_id DESC
    LIMIT 1
) x ON true
ORDER BY s.place
""")
_OF_RULE: Final = SQL("WHERE w.automation_rule_id = %(automation_rule_id)s")
_AND_CONTAINS: Final = SQL("\n          AND {}").format(selection.CONTAINS)


@lru_cache(maxsize=16)
def list_failure_groups(given: tuple[str, ...], failed: LiteralString) -> LiteralString:
    """The statement; its parameters are those of `selection` and those named here.

    `tenant`, `limit`, and of the timeline `starts_at` and `bucket_s` (seconds, since 1970).
    """
    return _GROUPS.format(
        group=selection.GROUP,
        of_tenant=selection.OF_TENANT,
        failed=SQL(failed),
        failed_at=selection.FAILED_AT,
        of_rule=_OF_RULE if "automation_rule_id" in given else SQL(""),
        and_contains=_AND_CONTAINS if "search" in given else SQL(""),
    ).as_string()
