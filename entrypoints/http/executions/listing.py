"""Lists of executions: what may be asked, and the answer."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

import attrs
import orjson
from attrs import evolve, frozen

from automation_retry.adapters.wire.converter import CONVERTER
from automation_retry.application import (
    Direction,
    ExecutionFilter,
    ExecutionList,
    SortField,
    Sorting,
)
from automation_retry.application.ports import ListedExecution
from automation_retry.domain import PAYLOADS, ExecutionStatus
from automation_retry.entrypoints.http.executions.fields import EXECUTION_FIELDS
from automation_retry.entrypoints.http.executions.presenter import presented, read_links
from automation_retry.entrypoints.http.wire.filters import filters
from automation_retry.entrypoints.http.wire.links import Links
from automation_retry.entrypoints.http.wire.paging import ListPagination
from automation_retry.entrypoints.http.wire.parameters import Parameters
from automation_retry.entrypoints.http.wire.query_values import (
    Boolean,
    GroupId,
    Number,
    OneOf,
    SomeOf,
    Text,
    Time,
    Uuid,
)
from automation_retry.entrypoints.http.wire.values import Whole

MAX_BYTES: Final = 8 * 2**20
"""Of an answer; beyond it payloads and texts are left out."""
_LARGE: Final = frozenset({*PAYLOADS, "error_stack", "error_message"})


@frozen(kw_only=True)
class ExecutionQuery(Parameters):
    """The query of a list of executions."""

    status: (
        Annotated[
            frozenset[ExecutionStatus],
            SomeOf(ExecutionStatus),
            "One status, or several with commas.",
        ]
        | None
    ) = None
    automation_rule_id: Annotated[UUID, Uuid(), "The rule that they ran."] | None = None
    failure_group_id: (
        Annotated[str, GroupId(), "Failed ones of this group; `status` is `failed`."] | None
    ) = None
    failed_from: (
        Annotated[datetime, Time(), "Failed then or later; `status` is `failed`."] | None
    ) = None
    failed_to: Annotated[datetime, Time(), "Failed before; `status` is `failed`."] | None = None
    started_from: Annotated[datetime, Time(), "Started then or later."] | None = None
    started_to: Annotated[datetime, Time(), "Started before."] | None = None
    duration_min_ms: Annotated[float, Number(), "Took as long, or longer."] | None = None
    duration_max_ms: Annotated[float, Number(), "Took as long, or less."] | None = None
    has_errors: Annotated[bool, Boolean(), "Whether there is an `error_message`."] | None = None
    search: (
        Annotated[
            str,
            Text(1, 200),
            "A part of `error_message`; ASCII letters match in either case, nothing is a wildcard.",
        ]
        | None
    ) = None
    sort: Annotated[
        SortField,
        OneOf(SortField, (("created_at", SortField.STARTED_AT),)),
        "Those without a value come last; `created_at` means `started_at`.",
    ] = SortField.STARTED_AT
    order: Annotated[Direction, OneOf(Direction), "Ties are sorted by `execution_id`."] = (
        Direction.DESC
    )
    fields: (
        Annotated[
            frozenset[str],
            SomeOf((*EXECUTION_FIELDS,)),
            "Fields that are shown beside `execution_id` and `_links`; all by default.",
        ]
        | None
    ) = None
    limit: Annotated[
        int,
        Whole(1, 1000),
        "More than 100 only if `fields` has none of `trigger_data`, `execution_context`, `logs` "
        "and `error_stack`.",
    ] = 25
    page: (
        Annotated[
            int, Whole(1, 10_000), "From 1; page times limit is 10,000 at most. Not with `cursor`."
        ]
        | None
    ) = None
    cursor: (
        Annotated[str, Text(1, 1000), "Goes on after `pagination.nextCursor` of the same list."]
        | None
    ) = None

    @property
    def wanted(self) -> ExecutionFilter:
        """Raises InvalidParameters where the filters contradict each other."""
        names = {one.name for one in attrs.fields(ExecutionFilter)} - {"statuses"}
        conditions = {name: getattr(self, name) for name in names}
        return ExecutionFilter(statuses=self.status, **conditions)

    @property
    def sorting(self) -> Sorting:
        return Sorting(by=self.sort, direction=self.order)


def list_answer(
    found: ExecutionList, wanted: ExecutionFilter, query: ExecutionQuery, links: Links
) -> bytes:
    """The body, of 8 MiB at most: from the first row on that does not fit, rows lose what is large.

    `truncated` names what they lost.
    """
    names = EXECUTION_FIELDS if query.fields is None else {"execution_id", *query.fields}
    shown = [name for name in EXECUTION_FIELDS if name in names]
    rest = {
        "pagination": CONVERTER.unstructure(_pagination(found)),
        "meta": {
            "filters": {**filters(wanted), "sort": query.sort.value, "order": query.order.value},
            "resource": "automation_execution",
        },
    }
    rows = [orjson.dumps(_row(item, shown, found, links)) for item in found.items]
    commas = max(len(rows) - 1, 0)
    left = MAX_BYTES - len(orjson.dumps({"data": [], **rest})) - commas
    if sum(map(len, rows)) > left:
        light = [orjson.dumps(_row(_light(item), shown, found, links)) for item in found.items]
        rows = _fitting(rows, [min(pair, key=len) for pair in zip(rows, light, strict=True)], left)
    return orjson.dumps({"data": [orjson.Fragment(row) for row in rows], **rest})


def _fitting(rows: Sequence[bytes], light: Sequence[bytes], left: int) -> list[bytes]:
    """The first rows as they are, and the light ones, which are no longer, of all after them."""
    left -= sum(map(len, light))
    fitting = []
    for row, short in zip(rows, light, strict=True):
        left -= len(row) - len(short)
        fitting.append(row if left >= 0 else short)
    return fitting


def _light(item: ListedExecution) -> ListedExecution:
    large = frozenset(name for name in _LARGE if getattr(item, name) is not None)
    without: dict[str, Any] = dict.fromkeys(large)
    return evolve(item, **without, truncated=item.truncated | large)


def _row(
    item: ListedExecution, shown: Collection[str], found: ExecutionList, links: Links
) -> dict[str, Any]:
    may_retry = found.may_execute and item.retryable
    return {**presented(item, shown), "_links": read_links(links, item, may_retry=may_retry)}


def _pagination(found: ExecutionList) -> ListPagination:
    return ListPagination(
        page=found.page,
        limit=found.limit,
        total=found.total,
        totalPages=None if found.total is None else -(-found.total // found.limit),
        hasNext=found.next_cursor is not None,
        hasPrev=None if found.page is None else found.page > 1,
        totalIsExact=found.total_is_exact,
        nextCursor=found.next_cursor,
    )
