"""The conditions of lists and groups on `automation_executions e`: those that are given.

They mean the same whatever types the columns have: times and sort keys are parameters of no type,
written in UTC, which PostgreSQL reads as the column's own.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from psycopg.sql import SQL, Composed

from automation_retry.adapters.postgres.failure_groups import group_key
from automation_retry.application import ExecutionFilter

OF_TENANT: Final = SQL("e.tenant = %(tenant)s")
FAILED_AT: Final = SQL("automation_retry_failed_at(e.completed_at, e.started_at)")
GROUP: Final = SQL("automation_retry_failure_group(e.automation_rule_id, e.error_message)")
OF_RULE: Final = SQL("e.automation_rule_id = %(automation_rule_id)s")
OF_GROUP: Final = SQL("{} = %(failure_group)s::bigint").format(GROUP)
# COLLATE "C": other letters than those of ASCII stay as they are.
CONTAINS: Final = SQL(
    """position(lower(%(search)s COLLATE "C") IN lower(e.error_message COLLATE "C")) > 0"""
)
_STATUS: Final = SQL("e.status::text = ANY (%(statuses)s::text[])")
_HAS_ERRORS: Final = SQL("e.error_message IS NOT NULL")
_HAS_NO_ERRORS: Final = SQL("e.error_message IS NULL")
_BOUNDS: Final[Mapping[str, Composed]] = {
    "failed_from": SQL("{} >= %(failed_from)s").format(FAILED_AT),
    "failed_to": SQL("{} < %(failed_to)s").format(FAILED_AT),
    "started_from": SQL("e.started_at >= %(started_from)s").format(),
    "started_to": SQL("e.started_at < %(started_to)s").format(),
    "duration_min_ms": SQL("e.duration_ms >= %(duration_min_ms)s").format(),
    "duration_max_ms": SQL("e.duration_ms <= %(duration_max_ms)s").format(),
}
AND: Final = SQL("\n  AND ")


def conditions(wanted: ExecutionFilter, failed: SQL | Composed) -> Composed:
    """All of them, for WHERE; see `parameters`. `failed` is the condition of the indexes."""
    return AND.join(_given(wanted, failed))


def _given(wanted: ExecutionFilter, failed: SQL | Composed) -> Iterator[SQL | Composed]:
    yield OF_TENANT
    if wanted.only_failed:
        yield failed
    elif wanted.wanted_statuses is not None:
        yield _STATUS
    if wanted.automation_rule_id is not None:
        yield OF_RULE
    if wanted.failure_group_id is not None:
        yield OF_GROUP
    for name, bound in _BOUNDS.items():
        if getattr(wanted, name) is not None:
            yield bound
    if wanted.has_errors is not None:
        yield _HAS_ERRORS if wanted.has_errors else _HAS_NO_ERRORS
    if wanted.search is not None:
        yield CONTAINS


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


def _bound(value: datetime | float | None) -> str | float | None:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value
