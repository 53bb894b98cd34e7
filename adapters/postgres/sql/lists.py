"""Sorted lists of executions, a part at a time."""

from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache, partial
from typing import Final, Literal, LiteralString

from psycopg.sql import SQL, Composed

from automation_retry.adapters.postgres.sql import selection
from automation_retry.adapters.postgres.sql.columns import decompressed
from automation_retry.application import SortField, Sorting
from automation_retry.application.ports import MAX_COUNTED, MAX_STATUS_BYTES

_SORTED_BY: Final[Mapping[SortField, SQL]] = {
    SortField.STARTED_AT: SQL("e.started_at"),
    SortField.FAILED_AT: selection.FAILED_AT,
    SortField.COMPLETED_AT: SQL("e.completed_at"),
    SortField.DURATION_MS: SQL("e.duration_ms"),
}
# A sort value as text that is read back as the same value of the column's type.
_TIME_KEY: Final = SQL("to_jsonb(c.value) #>> '{{}}'").format()
_NUMBER_KEY: Final = SQL("c.value::text").format()

_TEXTS: Final = ("error_message", "error_stack")
LARGE: Final = (*_TEXTS, "trigger_data", "execution_context", "logs")
"""Columns whose values may be large."""

# One part of a list: the rows that have a sort value, or those that have none. By an index on it
# the rows come in order, and no more are read than are needed.
_PART: Final = SQL("""
    (SELECT e.execution_id, {value} AS value, {number} AS part
     FROM automation_executions e
     WHERE {conditions}
       AND {value} {is_null}{after}
     ORDER BY {value} {direction}, e.execution_id {direction}
     LIMIT %(most)s)""")
# Both parts in one pass over all rows that match, for values without an index.
_WHOLE: Final = SQL("""
    (SELECT e.execution_id, {value} AS value, ({value} IS NULL)::integer AS part
     FROM automation_executions e
     WHERE {conditions}{after}
     ORDER BY {value} {direction} NULLS LAST, e.execution_id {direction}
     LIMIT %(most)s)""")
_BEYOND: Final = SQL("({value}, e.execution_id) {beyond} (%(key)s, %(execution_id)s::uuid)")
_AFTER: Final = SQL("\n       AND {}")
_AFTER_OR_NULL: Final = SQL("\n       AND ({beyond} OR {value} IS NULL)")
_AFTER_AMONG_NULLS: Final = SQL("\n       AND e.execution_id {beyond} %(execution_id)s::uuid")

# The ids of the wanted rows come first, in `chosen`, one more than are shown; then the rows by
# their primary key. `sized` knows how much the large columns take: a value beyond `limit` bytes is
# left out, and so are those of a row, and of all that follow, with which the sum exceeds `budget`.
# There is always one row at least, for the total; without an execution_id if nothing was found.
_LIST: Final = SQL("""
WITH chosen AS MATERIALIZED (
    SELECT u.execution_id, u.value, u.part,
           row_number() OVER (
               ORDER BY u.part, u.value {direction}, u.execution_id {direction}
           ) AS place
    FROM ({parts}
    ) u
    ORDER BY place
    LIMIT %(wanted)s + 1 OFFSET %(offset)s
), shown AS MATERIALIZED (
    SELECT c.execution_id, c.place, {key} AS key FROM chosen c
    ORDER BY c.place LIMIT %(wanted)s
), sized AS MATERIALIZED (
    SELECT z.execution_id, z.place, z.key, {fits}
    FROM (
        SELECT s.execution_id, s.place, s.key, {sizes}
        FROM shown s
        JOIN automation_executions e
          ON e.tenant = %(tenant)s AND e.execution_id = s.execution_id
    ) z
    WINDOW so_far AS (ORDER BY z.place)
)
SELECT t.total, t.found, s.key, e.tenant, e.execution_id, e.automation_rule_id,
       CASE WHEN octet_length(e.status::text) <= {longest_status} THEN e.status::text END AS status,
       e.started_at, e.completed_at, e.duration_ms, e.actions_total,
       e.actions_successful, e.actions_failed, e.failed_action_index, e.retry_count,
       {values}, array_remove(ARRAY[{truncated}]::text[], NULL) AS truncated
FROM (
    SELECT {total} AS total, n.found FROM (SELECT count(*) AS found FROM chosen) n
) t
LEFT JOIN sized s ON true
LEFT JOIN automation_executions e
  ON e.tenant = %(tenant)s AND e.execution_id = s.execution_id
ORDER BY s.place
""")

# Stops at the first row beyond what is counted. Where the list ends in this window, nothing is read
# again: that would take as long as finding that no more rows match.
_TOTAL: Final = SQL("""CASE WHEN n.found <= %(wanted)s AND (n.found > 0 OR %(offset)s = 0)
        THEN %(offset)s + n.found
        ELSE (
            SELECT count(*) FROM (
                SELECT FROM automation_executions e
                WHERE {conditions}
                LIMIT {most}
            ) counted
        )
    END""")


After = Literal["value", "null"]
"""Whether the execution after which a list goes on has a sort value."""


@lru_cache(maxsize=256)
def list_executions(  # noqa: PLR0913 - what a list consists of
    given: tuple[str, ...],
    sorting: Sorting,
    after: After | None,
    fields: frozenset[str],
    failed: LiteralString,
    *,
    counted: bool,
) -> LiteralString:
    """The statement; its parameters are those of `selection` and those named here.

    `tenant`, `wanted` (rows), `offset`, `most` (the sum of both and one), `limit` and `budget`
    (bytes), and of a position `key` and `execution_id`.
    """
    conditions = selection.conditions(given, SQL(failed))
    is_time = sorting.by is not SortField.DURATION_MS
    is_indexed = _is_indexed(given, sorting.by)
    return _LIST.format(
        direction=SQL("DESC") if sorting.descending else SQL("ASC"),
        parts=SQL("\n    UNION ALL").join(
            _parts(conditions, sorting, after, is_indexed=is_indexed)
        ),
        key=_TIME_KEY if is_time else _NUMBER_KEY,
        longest_status=MAX_STATUS_BYTES,
        sizes=SQL(", ").join([_size(name, fields) for name in LARGE]),
        fits=SQL(", ").join([_fits(name) for name in LARGE]),
        values=SQL(",\n       ").join([_value(name, fields) for name in LARGE]),
        truncated=SQL(", ").join([_truncated(name) for name in LARGE]),
        total=_TOTAL.format(conditions=conditions, most=MAX_COUNTED + 1)
        if counted
        else SQL("NULL::bigint"),
    ).as_string()


_MAY_READ_A_LOT: Final = frozenset(
    {"duration_min_ms", "duration_max_ms", "has_errors", "has_no_errors", "search"}
)
"""Conditions that no index has."""


def is_answered_by_index(given: Collection[str], by: SortField) -> bool:
    """Whether the list is read along an index without reading many rows that do not match."""
    return _is_indexed(given, by) and _MAY_READ_A_LOT.isdisjoint(given)


def _is_indexed(given: Collection[str], by: SortField) -> bool:
    """Whether an index has the rows in this order, whatever other conditions there are."""
    is_failed = selection.ONLY_FAILED in given
    return by is SortField.STARTED_AT or (by is SortField.FAILED_AT and is_failed)


def _parts(
    conditions: Composed, sorting: Sorting, after: After | None, *, is_indexed: bool
) -> Iterator[Composed]:
    value = _SORTED_BY[sorting.by]
    direction = SQL("DESC") if sorting.descending else SQL("ASC")
    beyond = SQL("<") if sorting.descending else SQL(">")
    beyond_key = _BEYOND.format(value=value, beyond=beyond)
    nothing = SQL("")
    part = partial(_PART.format, value=value, conditions=conditions, direction=direction)
    if after == "null":
        after_id = _AFTER_AMONG_NULLS.format(beyond=beyond)
        yield part(number=1, is_null=SQL("IS NULL"), after=after_id)
    elif is_indexed:
        after_key = _AFTER.format(beyond_key) if after else nothing
        yield part(number=0, is_null=SQL("IS NOT NULL"), after=after_key)
        yield part(number=1, is_null=SQL("IS NULL"), after=nothing)
    else:
        after_key = _AFTER_OR_NULL.format(beyond=beyond_key, value=value) if after else nothing
        yield _WHOLE.format(
            value=value, conditions=conditions, after=after_key, direction=direction
        )


def _size(name: str, fields: Collection[str]) -> Composed:
    """In bytes, and more than `limit` for a payload that is not even decompressed to find out."""
    column = SQL("e.{}").format(SQL(name))
    if name not in fields:
        return SQL("0 AS {}").format(SQL(name))
    if name in _TEXTS:
        return SQL("coalesce(octet_length({}), 0) AS {}").format(column, SQL(name))
    return SQL(
        "coalesce(CASE WHEN pg_column_size({it}) > %(limit)s THEN pg_column_size({it})"
        " ELSE {decompressed} END, 0) AS {name}"
    ).format(it=column, decompressed=decompressed(column), name=SQL(name))


def _fits(name: str) -> Composed:
    sizes = SQL(" + ").join(
        [
            SQL("CASE WHEN z.{0} <= %(limit)s THEN z.{0} ELSE 0 END").format(SQL(one))
            for one in LARGE
        ]
    )
    return SQL(
        "z.{name} = 0 OR z.{name} <= %(limit)s AND sum({sizes}) OVER so_far <= %(budget)s AS {name}"
    ).format(name=SQL(name), sizes=sizes)


def _value(name: str, fields: Collection[str]) -> Composed:
    if name not in fields:
        return SQL("NULL::text AS {}").format(SQL(name))
    return SQL("CASE WHEN s.{0} THEN e.{0}::text END AS {0}").format(SQL(name))


def _truncated(name: str) -> Composed:
    return SQL("CASE WHEN NOT s.{0} THEN {1} END").format(SQL(name), name)
