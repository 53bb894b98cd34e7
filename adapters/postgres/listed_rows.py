"""Rows of lists as values: what can be read of them, whatever others have written."""

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg.rows import DictRow

from automation_retry.adapters.postgres.failure_groups import group_id
from automation_retry.adapters.postgres.rows import (
    cleared_values,
    kept_values,
    payload_values,
    with_counters,
)
from automation_retry.application import Timeline
from automation_retry.application.ports import FailureGroup, FailureGroups, ListedExecution


def listed_execution(row: DictRow) -> ListedExecution:
    """The execution in a row of `sql.lists`."""
    kept, wrong = kept_values(row)
    cleared, unreadable = cleared_values(row)
    readable: dict[str, Any] = {
        name: None if name in unreadable else value
        for name, value in with_counters(cleared).items()
    }
    return ListedExecution(
        **kept,
        **readable,
        **payload_values(row),
        truncated=frozenset(row["truncated"]),
        unreadable=unreadable.union(wrong),
    )


def failure_groups(rows: Sequence[DictRow], timeline: Timeline) -> FailureGroups:
    """What the rows of `sql.failure_groups` say."""
    about_all = rows[0]
    return FailureGroups(
        items=[_group(row, timeline) for row in rows if row["failure_group"] is not None],
        groups=about_all["groups"],
        executions=about_all["executions"],
        timeline=_counts(about_all["all_counts"], timeline),
    )


def _group(row: DictRow, timeline: Timeline) -> FailureGroup:
    return FailureGroup(
        failure_group_id=group_id(row["failure_group"]),
        automation_rule_id=row["automation_rule_id"],
        pattern=row["pattern"],
        count=row["number"],
        first_failed_at=row["first_failed_at"],
        last_failed_at=row["last_failed_at"],
        before_first_action=row["before_first_action"],
        example_id=row["example_id"],
        example_message=row["example_message"],
        timeline=_counts(row["counts"], timeline),
    )


def _counts(by_bucket: Mapping[str, int] | None, timeline: Timeline) -> Sequence[int]:
    counts = [0] * timeline.buckets
    for bucket, count in (by_bucket or {}).items():
        counts[int(bucket)] = count
    return counts
