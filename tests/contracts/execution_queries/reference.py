"""What lists must hold, computed in plain Python and in another way than by any storage."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cmp_to_key
from typing import Any

from automation_retry.application import ExecutionFilter, SortField, Sorting
from automation_retry.domain import Execution, ExecutionStatus, failure_group_id
from tests.contracts.execution_queries.rows import failed_at


def matching(rows: Iterable[Execution], wanted: ExecutionFilter) -> list[Execution]:
    """Those that meet the conditions."""
    return [row for row in rows if _matches(row, wanted)]


def _matches(row: Execution, wanted: ExecutionFilter) -> bool:
    about_failures = (wanted.failed_from, wanted.failed_to, wanted.failure_group_id) != (None,) * 3
    group = failure_group_id(row.automation_rule_id, row.error_message)
    has_errors = row.error_message is not None
    shortest, longest = wanted.duration_min_ms, wanted.duration_max_ms
    return all(
        [
            row.status == ExecutionStatus.FAILED or not about_failures,
            wanted.statuses is None or row.status in wanted.statuses,
            wanted.automation_rule_id in (None, row.automation_rule_id),
            wanted.failure_group_id in (None, group),
            _within(failed_at(row), wanted.failed_from, wanted.failed_to),
            _within(row.started_at, wanted.started_from, wanted.started_to),
            shortest is None or (row.duration_ms is not None and shortest <= row.duration_ms),
            longest is None or (row.duration_ms is not None and row.duration_ms <= longest),
            wanted.has_errors in (None, has_errors),
            wanted.search is None or _holds(row.error_message, wanted.search),
        ]
    )


def _within(time: datetime | None, start: datetime | None, end: datetime | None) -> bool:
    if start is None and end is None:
        return True
    return time is not None and (start is None or start <= time) and (end is None or time < end)


def _holds(message: str | None, text: str) -> bool:
    ascii_only = re.IGNORECASE | re.ASCII
    return message is not None and re.search(re.escape(text), message, ascii_only) is not None


def value_of(row: Execution, by: SortField) -> Any:
    if by is SortField.FAILED_AT:
        return failed_at(row)
    return getattr(row, by.value)


def in_order(rows: Iterable[Execution], sorting: Sorting) -> Sequence[Execution]:
    """Sorted by comparing two at a time."""

    def compared(one: Execution, other: Execution) -> int:
        ours, theirs = value_of(one, sorting.by), value_of(other, sorting.by)
        if (ours is None) != (theirs is None):
            return 1 if ours is None else -1
        if ours == theirs:
            ours, theirs = one.execution_id.bytes, other.execution_id.bytes
        upwards = int(ours > theirs) - int(ours < theirs)
        return -upwards if sorting.descending else upwards

    return sorted(rows, key=cmp_to_key(compared))
