"""The conditions of lists and groups on `automation_executions e`: those that are given.

They mean the same whatever types the columns have: times and sort keys are parameters of no type,
written in UTC, which PostgreSQL reads as the column's own.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from psycopg.sql import SQL, Composed

from automation_retry.adapters.postgres.failure_groups import group_key
from automation_retry.application import ExecutionFilter

OF_TENANT: Final = SQL("e.tenant = %(tenant)s")
FAILED_AT: Final = SQL("automation_retry_failed_at(e.completed_at, e.started_at)")
GROUP: Final = SQL("automation_retry_failure_group(e.automation_rule_id, e.error_message)")
# COLLATE "C": other letters than those of ASCII stay as they are.
_CONTAINS: Final = SQL(
    """position(lower(%(search)s COLLATE "C") IN lower(e.error_message COLLATE "C")) > 0"""
)
ONLY_FAILED: Final = "only_failed"
"""The name of the condition that the partial indexes have."""
_BOUNDS: Final[Mapping[str, Composed]] = {
    "failed_from": SQL("{} >= %(failed_from)s").format(FAILED_AT),
    "failed_to": SQL("{} < %(failed_to)s").format(FAILED_AT),
    "started_from": SQL("e.started_at >= %(started_from)s").format(),
    "started_to": SQL("e.started_at < %(started_to)s").format(),
    "duration_min_ms": SQL("e.duration_ms >= %(duration_min_ms)s").format(),
    "duration_max_ms": SQL("e.duration_ms <= %(duration_max_ms)s").format(),
}
_CONDITIONS: Final[Mapping[str, SQL | Composed]] = {
    "statuses": SQL("e.status::text = ANY (%(statuses)s::text[])"),
    "automation_rule_id": SQL("e.automation_rule_id = %(automation_rule_id)s"),
    "failure_group": SQL("{} = %(failure_group)s::bigint").format(GROUP),
    **_BOUNDS,
    "has_errors": SQL("e.error_message IS NOT NULL"),
    "has_no_errors": SQL("e.error_message IS NULL"),
    "search": _CONTAINS,
}


def given(wanted: ExecutionFilter) -> tuple[str, ...]:
    """The names of the conditions, which is all that a statement depends on."""
    return tuple(_given(wanted))


def _given(wanted: ExecutionFilter) -> Iterator[str]:
    if wanted.only_failed:
        yield ONLY_FAILED
    elif wanted.wanted_statuses is not None:
        yield "statuses"
    if wanted.automation_rule_id is not None:
        yield "automation_rule_id"
    if wanted.failure_group_id is not None:
        yield "failure_group"
    for name in _BOUNDS:
        if getattr(wanted, name) is not None:
            yield name
    if wanted.has_errors is not None:
        yield "has_errors" if wanted.has_errors else "has_no_errors"
    if wanted.search is not None:
        yield "search"


def conditions(names: Iterable[str], failed: SQL) -> Composed:
    """Those of the names, for WHERE; see `parameters`."""
    known = {**_CONDITIONS, ONLY_FAILED: failed}
    return SQL("\n  AND ").join([OF_TENANT, *(known[name] for name in names)])


def parameters(wanted: ExecutionFilter) -> dict[str, Any]:
    """Those of `conditions`, but for the tenant."""
    group = wanted.failure_group_id
    return {
        "statuses": [status.value for status in wanted.wanted_statuses or ()],
        "automation_rule_id": wanted.automation_rule_id,
        "failure_group": None if group is None else group_key(group),
        "search": wanted.search,
        **{name: _bound(getattr(wanted, name)) for name in _BOUNDS},
    }


def _bound(value: datetime | float | None) -> str | Decimal | None:
    """A number as an exact one: no value of a numeric column is cast to double, which may fail."""
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat()
        case None:
            return None
        case _:
            return Decimal(repr(value))
