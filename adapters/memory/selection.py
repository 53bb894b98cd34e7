"""Which executions match a filter, and how they are sorted."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final
from uuid import UUID

from automation_retry.application import (
    ExecutionFilter,
    InvalidParameters,
    Position,
    SortField,
    Sorting,
)
from automation_retry.application.cursors import A_CURSOR
from automation_retry.domain import Execution, failure_group_id, utc_text


def failed_at(execution: Execution) -> datetime | None:
    """When it failed, if it did."""
    return execution.completed_at or execution.started_at


@lru_cache(maxsize=100_000)
def group_of(automation_rule_id: UUID, error_message: str | None) -> str:
    """The id of the failure group; folding a message takes most of the time of a query."""
    return failure_group_id(automation_rule_id, error_message)


def matching(executions: Iterable[Execution], wanted: ExecutionFilter) -> Sequence[Execution]:
    """The executions that meet all conditions."""
    conditions = list(_conditions(wanted))
    return [one for one in executions if all(holds(one) for holds in conditions)]


Condition = Callable[[Execution], bool]


def _conditions(wanted: ExecutionFilter) -> Iterable[Condition]:
    """The cheap ones first."""
    statuses, rule = wanted.wanted_statuses, wanted.automation_rule_id
    if statuses is not None:
        yield lambda one: one.status in statuses
    if rule is not None:
        yield lambda one: one.automation_rule_id == rule
    if wanted.has_errors is not None:
        yield lambda one: (one.error_message is not None) is wanted.has_errors
    yield from _bounds(failed_at, wanted.failed_from, wanted.failed_to)
    yield from _bounds(lambda one: one.started_at, wanted.started_from, wanted.started_to)
    least, most = wanted.duration_min_ms, wanted.duration_max_ms
    if least is not None:
        yield lambda one: one.duration_ms is not None and one.duration_ms >= least
    if most is not None:
        yield lambda one: one.duration_ms is not None and one.duration_ms <= most
    if wanted.search is not None:
        sought = _folded(wanted.search)
        yield lambda one: one.error_message is not None and sought in _folded(one.error_message)
    if wanted.failure_group_id is not None:
        yield (
            lambda one: (
                group_of(one.automation_rule_id, one.error_message) == wanted.failure_group_id
            )
        )


def _bounds(
    time: Callable[[Execution], datetime | None], start: datetime | None, end: datetime | None
) -> Iterable[Condition]:
    """From inclusive, to exclusive."""
    if start is not None:
        yield lambda one: (at := time(one)) is not None and at >= start
    if end is not None:
        yield lambda one: (at := time(one)) is not None and at < end


def _folded(text: str) -> bytes:
    """With ASCII letters in lower case, and no other: that is how bytes are lowered."""
    return text.encode(errors="surrogatepass").lower()


_VALUES: Final[dict[SortField, Callable[[Execution], Any]]] = {
    SortField.STARTED_AT: lambda one: one.started_at,
    SortField.FAILED_AT: failed_at,
    SortField.COMPLETED_AT: lambda one: one.completed_at,
    SortField.DURATION_MS: lambda one: one.duration_ms,
}

_Placed = list[tuple[Any, Execution]]
"""Executions with what they are sorted by."""


def in_order(
    executions: Sequence[Execution], sorting: Sorting, after: Position | None = None
) -> Sequence[Execution]:
    """The executions sorted, from the first after a position on.

    Raises:
        InvalidParameters: the position's key is none that `position_of` makes.
    """
    value_of = _VALUES[sorting.by]
    with_value: _Placed = []
    without: _Placed = []
    for one in executions:
        value = value_of(one)
        if value is None:
            without.append((one.execution_id.int, one))
        else:
            with_value.append(((value, one.execution_id.int), one))
    if after is not None:
        if after.key is None:
            with_value = []
            without = _beyond(after.execution_id.int, without, sorting)
        else:
            place = (_value(after.key, sorting.by), after.execution_id.int)
            with_value = _beyond(place, with_value, sorting)
    return [
        one
        for part in (with_value, without)
        for _, one in sorted(part, key=itemgetter(0), reverse=sorting.descending)
    ]


def _beyond(place: Any, placed: _Placed, sorting: Sorting) -> _Placed:
    return [one for one in placed if (one[0] < place if sorting.descending else one[0] > place)]


def position_of(execution: Execution, sorting: Sorting) -> Position:
    """The place just after the execution."""
    value = _VALUES[sorting.by](execution)
    return Position(key=None if value is None else _key(value), execution_id=execution.execution_id)


def _key(value: datetime | float) -> str:
    return utc_text(value) if isinstance(value, datetime) else repr(float(value))


def _value(key: str, by: SortField) -> datetime | float:
    """The value that `_key` made into this text."""
    try:
        value = float(key) if by is SortField.DURATION_MS else datetime.fromisoformat(key)
        known = _key(value) == key
    except (OverflowError, ValueError):
        known = False
    if not known:
        raise InvalidParameters({"cursor": A_CURSOR})
    return value
