"""Which executions are meant, and in which order: the conditions of lists, groups and batches."""

from collections.abc import Iterator
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Final
from uuid import UUID

from attrs import field, frozen

from automation_retry.application.errors import InvalidParameters
from automation_retry.domain import (
    ExecutionStatus,
    is_duration,
    is_failure_group_id,
    validators,
)

MAX_SEARCH: Final = 200
"""Characters."""

_FAILED: Final = frozenset({ExecutionStatus.FAILED})


@frozen(kw_only=True)
class ExecutionFilter:
    """Conditions on the executions of one tenant; those that are given must all hold.

    An execution failed at `coalesce(completed_at, started_at)`; one that has neither matches no
    `failed_from` and no `failed_to`, as one without a value matches no other bound of that value.

    Raises InvalidParameters where bounds exclude each other, and for values that none can have,
    such as times outside the years 1 to 9999 in UTC.
    """

    statuses: frozenset[ExecutionStatus] | None = None
    """None: any, but see `wanted_statuses`. Never empty."""
    automation_rule_id: UUID | None = None
    failure_group_id: str | None = None
    """As `domain.failure_group_id` makes it. An unknown one matches nothing."""
    failed_from: datetime | None = field(default=None, validator=validators.moment_or_none)
    """Inclusive, as `started_from`."""
    failed_to: datetime | None = field(default=None, validator=validators.moment_or_none)
    """Exclusive, as `started_to`."""
    started_from: datetime | None = field(default=None, validator=validators.moment_or_none)
    started_to: datetime | None = field(default=None, validator=validators.moment_or_none)
    duration_min_ms: float | None = None
    """Inclusive, as `duration_max_ms`."""
    duration_max_ms: float | None = None
    has_errors: bool | None = None
    """Whether there is an `error_message`."""
    search: str | None = None
    """A part of `error_message`; ASCII letters match in either case, and nothing is a wildcard."""

    def __attrs_post_init__(self) -> None:
        if wrong := dict(self._contradictions()):
            raise InvalidParameters(wrong)

    @property
    def wanted_statuses(self) -> frozenset[ExecutionStatus] | None:
        """None: any. With a failure group, or a time of failure, only `failed`."""
        return _FAILED if self._about_failures else self.statuses

    @property
    def only_failed(self) -> bool:
        return self.wanted_statuses == _FAILED

    @property
    def _about_failures(self) -> bool:
        conditions = (self.failure_group_id, self.failed_from, self.failed_to)
        return any(condition is not None for condition in conditions)

    def _contradictions(self) -> Iterator[tuple[str, str]]:
        if self.statuses is not None and (
            not self.statuses or (self._about_failures and self.statuses != _FAILED)
        ):
            yield (
                "status",
                "failed, or absent, beside failure_group_id, failed_from and failed_to"
                if self.statuses
                else "one status at least",
            )
        if self.failure_group_id is not None and not is_failure_group_id(self.failure_group_id):
            yield "failure_group_id", "fg_ and 16 hexadecimal digits in lower case"
        for name in ("failed_from", "failed_to", "started_from", "started_to"):
            if not _has_utc(getattr(self, name)):
                yield name, "a time in the years 1 to 9999 in UTC"
        for name in ("duration_min_ms", "duration_max_ms"):
            duration = getattr(self, name)
            if duration is not None and not is_duration(duration):
                yield name, "a number of ms from 0"
        for name, least, most in (
            ("failed_to", self.failed_from, self.failed_to),
            ("started_to", self.started_from, self.started_to),
            ("duration_max_ms", self.duration_min_ms, self.duration_max_ms),
        ):
            if _exceeds(least, most):
                yield name, f"not less than {_LOWER[name]}"
        if self.search is not None and not _is_searchable(self.search):
            yield "search", f"1 to {MAX_SEARCH} characters, without NUL"


_LOWER: Final = {
    "failed_to": "failed_from",
    "started_to": "started_from",
    "duration_max_ms": "duration_min_ms",
}


def _exceeds(least: Any, most: Any) -> bool:
    return least is not None and most is not None and least > most


def _has_utc(moment: datetime | None) -> bool:
    """Whether a `datetime` can hold it in UTC too."""
    try:
        return moment is None or moment.astimezone(UTC) is not None
    except OverflowError:
        return False


def _is_searchable(text: str) -> bool:
    """A database can hold neither NUL nor half of a surrogate pair."""
    has_surrogates = any("\ud800" <= character <= "\udfff" for character in text)
    return 1 <= len(text) <= MAX_SEARCH and "\0" not in text and not has_surrogates


class SortField(Enum):
    """What executions are sorted by; those without a value come last in both directions."""

    STARTED_AT = "started_at"
    FAILED_AT = "failed_at"
    COMPLETED_AT = "completed_at"
    DURATION_MS = "duration_ms"


class Direction(Enum):
    ASC = "asc"
    DESC = "desc"


@frozen(kw_only=True)
class Sorting:
    """The order of a list; equal ones by `execution_id`, in the same direction."""

    by: SortField = SortField.STARTED_AT
    direction: Direction = Direction.DESC

    @property
    def descending(self) -> bool:
        return self.direction is Direction.DESC


@frozen(kw_only=True)
class Position:
    """A place in a sorted list: just after this execution."""

    key: str | None
    """The value that the list is sorted by, as the storage spells it; None if there is none."""
    execution_id: UUID
