"""Rows of lists as values: what can be read of them, whatever others have written."""

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg.rows import DictRow

from automation_retry.adapters.postgres.failure_groups import group_id
from automation_retry.adapters.postgres.rows import cleared_values, json_text
from automation_retry.application import Timeline
from automation_retry.application.ports import FailureGroup, FailureGroups, ListedExecution
from automation_retry.domain import MAX_RETRY_COUNT, ExecutionLog, is_count, status_of


def listed_execution(row: DictRow) -> ListedExecution:
    """The execution in a row of `sql.lists`."""
    values, unreadable = cleared_values(row)
    retry_count = row["retry_count"] or 0
    kept: dict[str, tuple[Any, bool]] = {
        "automation_rule_id": (row["automation_rule_id"], row["automation_rule_id"] is not None),
        "status": (row["status"] and status_of(row["status"]), row["status"] is not None),
        "actions_total": (row["actions_total"], is_count(row["actions_total"])),
        "retry_count": (retry_count, is_count(retry_count) and retry_count <= MAX_RETRY_COUNT),
    }
    for name in ("actions_successful", "actions_failed"):
        if values[name] is None and name not in unreadable:
            values[name] = 0
    logs = row["logs"]
    return ListedExecution(
        **values,
        **{name: value for name, (value, readable) in kept.items() if readable},
        tenant=row["tenant"],
        execution_id=row["execution_id"],
        trigger_data=json_text(row["trigger_data"]),
        execution_context=json_text(row["execution_context"]),
        logs=None if logs is None else ExecutionLog(logs),
        truncated=frozenset(row["truncated"]),
        unreadable=unreadable.union(name for name, (_, readable) in kept.items() if not readable),
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
