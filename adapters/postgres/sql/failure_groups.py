"""Failed executions in groups."""

from functools import lru_cache
from typing import Final, LiteralString

from psycopg.sql import SQL, Composed

from automation_retry.adapters.postgres.sql import selection

# `cell` counts each group's rows in each bucket of the timeline. Of the messages only the examples
# are folded, for the patterns of what is shown. There is always one row at least, for the numbers
# about all groups; without a group if there is none.
_GROUPS: Final = SQL("""
WITH RECURSIVE {cells}, grouped AS MATERIALIZED (
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
), latest AS (
    {latest}
)
SELECT t.groups, t.executions, t.counts AS all_counts, s.failure_group, s.automation_rule_id,
       s.number, s.first_failed_at, s.last_failed_at, s.before_first_action, l.counts,
       e.execution_id AS example_id, left(e.error_message, 1000) AS example_message,
       automation_retry_failure_pattern(e.error_message) AS pattern
FROM (
    SELECT (SELECT count(*) FROM grouped) AS groups,
           (SELECT coalesce(sum(g.number), 0)::bigint FROM grouped g) AS executions,
           (SELECT jsonb_object_agg(b.bucket, b.number) FROM (
               SELECT c.bucket, sum(c.number)::bigint AS number FROM cell c GROUP BY c.bucket
           ) b) AS counts
) t
LEFT JOIN shown s ON true
LEFT JOIN timeline l ON l.failure_group = s.failure_group
LEFT JOIN latest x ON x.failure_group = s.failure_group
LEFT JOIN automation_executions e ON {of_tenant} AND e.execution_id = x.execution_id
ORDER BY s.place
""")

# `walk` finds each group by one index lookup, and its rows are counted along the same index, so
# that no message is folded again: OFFSET keeps the planner from a join that folds all. Each row is
# read for its count; those of a group at a time, which takes little memory.
_INDEXED_CELLS: Final = SQL("""walk AS (
    (SELECT {group} AS failure_group, e.automation_rule_id
     FROM automation_executions e
     WHERE {is_failed}
     ORDER BY {group}
     LIMIT 1)
    UNION ALL
    SELECT next.failure_group, next.automation_rule_id
    FROM walk w
    CROSS JOIN LATERAL (
        SELECT {group} AS failure_group, e.automation_rule_id
        FROM automation_executions e
        WHERE {is_failed} AND {group} > w.failure_group
        ORDER BY {group}
        LIMIT 1
    ) next
), cell AS MATERIALIZED (
    SELECT w.failure_group, w.automation_rule_id, c.bucket, c.number, c.first_failed_at,
           c.last_failed_at, c.before_first_action
    FROM walk w
    CROSS JOIN LATERAL (
        SELECT {counts}
        FROM (
            SELECT {facts}
            FROM automation_executions e
            WHERE {conditions} AND {group} = w.failure_group
            OFFSET 0
        ) f
        GROUP BY f.bucket
    ) c{of_rule}
)""")
_INDEXED_LATEST: Final = SQL("""SELECT s.failure_group, y.execution_id
    FROM shown s
    CROSS JOIN LATERAL (
        SELECT e.execution_id
        FROM automation_executions e
        WHERE {conditions} AND {group} = s.failure_group
        ORDER BY {failed_at} DESC, e.execution_id DESC
        LIMIT 1
    ) y""")

# Folds the message of every row that matches, once.
_FOLDED_CELLS: Final = SQL("""folded AS MATERIALIZED (
    SELECT {group} AS failure_group, e.automation_rule_id, e.execution_id, {facts}
    FROM automation_executions e
    WHERE {conditions}
), cell AS MATERIALIZED (
    SELECT f.failure_group, f.automation_rule_id, {counts}
    FROM folded f
    GROUP BY f.failure_group, f.automation_rule_id, f.bucket
)""")
_FOLDED_LATEST: Final = SQL("""SELECT DISTINCT ON (f.failure_group) f.failure_group, f.execution_id
    FROM folded f
    WHERE f.failure_group IN (SELECT s.failure_group FROM shown s)
    ORDER BY f.failure_group, f.failed_at DESC, f.execution_id DESC""")

_FACTS: Final = SQL("""{failed_at} AS failed_at,
                   coalesce(e.actions_successful, 0) = 0 AS before_first_action,
                   floor(
                       extract(epoch FROM {failed_at} - %(starts_at)s)::double precision
                       / %(bucket_s)s
                   )::integer AS bucket""").format(failed_at=selection.FAILED_AT)
_COUNTS: Final = SQL("""f.bucket, count(*) AS number, min(f.failed_at) AS first_failed_at,
               max(f.failed_at) AS last_failed_at,
               count(*) FILTER (WHERE f.before_first_action) AS before_first_action""")
_RULE: Final = "automation_rule_id"
_OF_RULE: Final = SQL("\n    WHERE w.automation_rule_id = %(automation_rule_id)s")

# Whether there is an index of the groups that can be used; one row, or none. Before row-level
# security has been checked, PostgreSQL looks for nothing that a function returns.
ARE_INDEXED: Final = """
SELECT i.indisvalid AND NOT row_security_active(i.indrelid) AS are_indexed
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE i.indrelid = to_regclass('automation_executions')
  AND c.relname = 'automation_retry_executions_group'
"""


@lru_cache(maxsize=16)
def list_failure_groups(
    given: tuple[str, ...], failed: LiteralString, *, are_indexed: bool
) -> LiteralString:
    """The statement; its parameters are those of `selection` and those named here.

    `tenant`, `limit`, and of the timeline `starts_at` (as text, in UTC) and `bucket_s`
    (seconds).
    """
    is_failed = SQL(failed)
    of_rows = [name for name in given if name != _RULE] if are_indexed else given
    parts: dict[str, SQL | Composed] = {
        "group": selection.GROUP,
        "failed_at": selection.FAILED_AT,
        "is_failed": selection.conditions([selection.ONLY_FAILED], is_failed),
        "conditions": selection.conditions(of_rows, is_failed),
        "of_rule": _OF_RULE if _RULE in given else SQL(""),
        "facts": _FACTS,
        "counts": _COUNTS,
    }
    cells, latest = (
        (_INDEXED_CELLS, _INDEXED_LATEST) if are_indexed else (_FOLDED_CELLS, _FOLDED_LATEST)
    )
    return _GROUPS.format(
        cells=cells.format(**parts), latest=latest.format(**parts), of_tenant=selection.OF_TENANT
    ).as_string()
