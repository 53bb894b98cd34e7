from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import attrs
from attrs import frozen

from automation_retry.application.cursors import A_CURSOR, cursor_of, position_in
from automation_retry.application.errors import InvalidParameters
from automation_retry.application.ports import (
    MAX_COUNTED,
    UNBOUNDED,
    Authorizer,
    Budget,
    ExecutionQueries,
    ListedExecution,
    Window,
)
from automation_retry.application.selection import ExecutionFilter, Position, Sorting
from automation_retry.domain import AUTOMATION_EXECUTE, AUTOMATION_READ, Principal, is_uuid

LARGE: Final = frozenset({"trigger_data", "execution_context", "logs", "error_stack"})
"""Fields without which a page may have ten times as many executions."""
MAX_LIMIT: Final = 100
MAX_LIMIT_WITHOUT_LARGE: Final = 1000
_READ: Final = LARGE | {"error_message"}
_EVERY: Final = ExecutionFilter()
_NEWEST_FIRST: Final = Sorting()


@frozen(kw_only=True)
class ExecutionList:
    """A part of a list of executions."""

    items: Sequence[ListedExecution]
    limit: int
    page: int | None
    """Counts from 1; None where a cursor was given."""
    total: int | None
    """How many match, exact up to 10,000; None where a cursor was given."""
    total_is_exact: bool | None
    next_cursor: str | None
    """None exactly if no execution follows."""
    may_execute: bool
    """Whether the principal may retry executions."""


@frozen
class ListExecutions:
    """Lists the executions of the principal's tenant, in pages or with a cursor."""

    authorizer: Authorizer
    queries: ExecutionQueries
    budget: Budget = UNBOUNDED

    async def __call__(  # noqa: PLR0913 - what a list is asked for
        self,
        principal: Principal,
        wanted: ExecutionFilter = _EVERY,
        *,
        sorting: Sorting = _NEWEST_FIRST,
        limit: int = 25,
        page: int | None = None,
        cursor: str | None = None,
        fields: Collection[str] | None = None,
    ) -> ExecutionList:
        """A page, or what comes after a cursor; the first page by default.

        A cursor walks every execution once, while others appear or vanish. Of payloads and texts
        those named in `fields` are read, by default all.

        Raises:
            PermissionDenied: the principal lacks `automation:read`.
            InvalidParameters: the cursor is that of another list; a page lies beyond the first
                10,000 executions, or is given beside a cursor; more than 100 executions are asked
                for, or more than 1,000 if `fields` has none of `LARGE`.
            QueryTooBroad: it takes too long.
            StorageUnavailable: the storage did not answer.
        """
        await self.authorizer.require(principal, AUTOMATION_READ)
        read = _READ if fields is None else _READ.intersection(fields)
        _check_limit(limit, most=MAX_LIMIT if read & LARGE else MAX_LIMIT_WITHOUT_LARGE)
        listed = (str(principal.tenant), *_texts(wanted), *_texts(sorting))
        window = _window(limit, page, cursor, listed)
        with self.budget():
            found = await self.queries.executions(principal.tenant, wanted, sorting, window, read)
        may_execute = await self.authorizer.permits(principal, AUTOMATION_EXECUTE)
        total = found.total
        return ExecutionList(
            items=found.items,
            limit=limit,
            page=None if cursor is not None else page or 1,
            total=None if total is None else min(total, MAX_COUNTED),
            total_is_exact=None if total is None else total <= MAX_COUNTED,
            next_cursor=None
            if found.next is None
            else cursor_of(listed, (found.next.key, str(found.next.execution_id))),
            may_execute=may_execute,
        )


def _check_limit(limit: int, most: int) -> None:
    if not 1 <= limit <= most:
        raise InvalidParameters({"limit": f"one whole number from 1 to {most}"})


def _window(limit: int, page: int | None, cursor: str | None, listed: Sequence[str]) -> Window:
    if cursor is None:
        number = 1 if page is None else page
        if number < 1 or number * limit > MAX_COUNTED:
            raise InvalidParameters(
                {
                    "page": f"one whole number from 1 to {MAX_COUNTED // limit}; "
                    "a cursor goes on beyond"
                }
            )
        return Window(limit=limit, offset=(number - 1) * limit)
    if page is not None:
        raise InvalidParameters({"page": "absent beside cursor"})
    return Window(limit=limit, after=_position(cursor, listed), counted=False)


def _position(cursor: str, listed: Sequence[str]) -> Position:
    match position_in(cursor, listed):
        case [key, str(execution_id)] if is_uuid(execution_id):
            return Position(key=key, execution_id=UUID(execution_id))
        case _:
            raise InvalidParameters({"cursor": A_CURSOR})


def _texts(conditions: Any) -> Iterator[str]:
    """What the conditions are; equal times in other zones are the same condition."""
    for attribute in attrs.fields(type(conditions)):
        match getattr(conditions, attribute.name):
            case datetime() as moment:
                yield moment.astimezone(UTC).isoformat()
            case frozenset() as statuses:
                yield ",".join(sorted(status.value for status in statuses))
            case value:
                yield repr(value)
