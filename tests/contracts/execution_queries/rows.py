"""Executions that differ in what lists and groups look at, and filters that some of them match.

Values come from small pools, so that many are equal and filters meet their bounds.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from attrs import evolve
from hypothesis import strategies as st

from automation_retry.application import (
    Direction,
    ExecutionFilter,
    SortField,
    Sorting,
)
from automation_retry.domain import Execution, ExecutionStatus, UnknownStatus, failure_group_id
from tests.contracts.storage import StorageUnderTest
from tests.support.factories import NOON, an_execution

RULES: Final = tuple(UUID(int=number << 124) for number in (1, 7, 15))
FAILED: Final = frozenset({ExecutionStatus.FAILED})

times = st.builds(
    lambda days, microseconds: NOON + timedelta(days=days, microseconds=microseconds),
    st.integers(-2, 2),
    st.integers(-1, 1),
)
# Neighbours of each other: in one of them a wrong conversion, or comparison as text, shows.
durations = st.sampled_from([0.0, 5e-324, 0.1, 0.1 + 2**-56, 9.0, 10.0, 1e22, 1.7e308])
# What some engine of texts or patterns takes for something else: letters that fold to ASCII, such
# as the Kelvin sign, the long s and the i with and without dot, and every kind of wildcard.
_FRAGMENTS: Final = (
    *("timeout", "TimeOut", "k", "K", "\N{KELVIN SIGN}", "s", "S", "\N{LATIN SMALL LETTER LONG S}"),
    *("i", "I", "\N{LATIN SMALL LETTER DOTLESS I}", "\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}"),
    *("\u00e9", "\u00c9", "e\N{COMBINING ACUTE ACCENT}", "\u00df", "SS", "\u03c3", "\u03a3"),
    *("%", "_", "\\", "\\%", "*", ".", ".*", "[", "'", '"', " ", "\n", "\r", "\t", "\U0001f600"),
    *("17", "42", "status 503"),
)
messages = st.lists(st.sampled_from(_FRAGMENTS), max_size=4).map("".join)
statuses: st.SearchStrategy[Any] = st.one_of(
    st.just(ExecutionStatus.FAILED),
    st.sampled_from(ExecutionStatus),
    st.sampled_from([UnknownStatus("archived"), UnknownStatus("Failed"), UnknownStatus("")]),
)

changes = st.fixed_dictionaries(
    {
        "automation_rule_id": st.sampled_from(RULES),
        "status": statuses,
        "started_at": st.none() | times,
        "completed_at": st.none() | times,
        "duration_ms": st.none() | durations,
        "actions_successful": st.integers(0, 2),
        "error_message": st.none() | messages,
    }
)
rows = st.builds(
    lambda execution_id, changed: an_execution(execution_id=execution_id, **changed),
    st.uuids(),
    changes,
)
"""Executions, each of a tenant of its own."""
row_lists = st.lists(rows, max_size=12, unique_by=lambda row: row.execution_id)
failed_lists = st.lists(
    rows.map(lambda row: evolve(row, status=ExecutionStatus.FAILED)),
    max_size=12,
    unique_by=lambda row: row.execution_id,
)

sortings = st.builds(Sorting, by=st.sampled_from(SortField), direction=st.sampled_from(Direction))


def _range(values: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, Any]]:
    """Two bounds, of which each may be missing."""
    pairs = st.tuples(values, values).map(lambda pair: (min(pair), max(pair)))
    return st.tuples(pairs, st.sampled_from([(1, 1), (1, 0), (0, 1)])).map(
        lambda bounds: (
            bounds[0][0] if bounds[1][0] else None,
            bounds[0][1] if bounds[1][1] else None,
        )
    )


@st.composite
def filters(draw: st.DrawFn) -> ExecutionFilter:
    """Up to three conditions."""
    kinds = draw(st.sets(st.sampled_from(sorted(_CONDITIONS)), max_size=3))
    conditions: dict[str, Any] = {}
    for kind in sorted(kinds):
        conditions |= draw(_CONDITIONS[kind])
    if {"failure_group_id", "failed_from", "failed_to"} & conditions.keys():
        conditions["statuses"] = draw(st.sampled_from([None, FAILED]))
    return ExecutionFilter(**conditions)


_CONDITIONS: Final[dict[str, st.SearchStrategy[dict[str, Any]]]] = {
    "statuses": st.frozensets(st.sampled_from(ExecutionStatus), min_size=1).map(
        lambda wanted: {"statuses": wanted}
    ),
    "rule": st.sampled_from(RULES).map(lambda rule: {"automation_rule_id": rule}),
    "group": st.builds(
        lambda rule, message: {"failure_group_id": failure_group_id(rule, message)},
        st.sampled_from(RULES),
        st.none() | st.sampled_from(_FRAGMENTS),
    ),
    "failed": _range(times).map(lambda pair: {"failed_from": pair[0], "failed_to": pair[1]}),
    "started": _range(times).map(lambda pair: {"started_from": pair[0], "started_to": pair[1]}),
    "duration": _range(durations).map(
        lambda pair: {"duration_min_ms": pair[0], "duration_max_ms": pair[1]}
    ),
    "errors": st.booleans().map(lambda wanted: {"has_errors": wanted}),
    "search": messages.filter(bool).map(lambda text: {"search": text}),
}


async def stored(
    storage: StorageUnderTest, found: Sequence[Execution]
) -> tuple[UUID, Sequence[Execution]]:
    """Adds the executions to a new tenant, which is returned with them as they are there.

    Another tenant has executions of the same ids.
    """
    tenant, other = uuid4(), uuid4()
    own = [evolve(row, tenant=tenant) for row in found]
    await storage.executions.add([*own, *(evolve(row, tenant=other) for row in found)])
    return tenant, own


def failed_at(execution: Execution) -> datetime | None:
    return execution.started_at if execution.completed_at is None else execution.completed_at
