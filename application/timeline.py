"""Equal spans of time in which failures are counted."""

from datetime import UTC, datetime, timedelta
from typing import Final

from attrs import frozen

from automation_retry.application.errors import InvalidParameters

MAX_BUCKETS: Final = 120
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
_SIZES: Final = (
    *(_MINUTE * n for n in (1, 5, 15, 30)),
    *(_HOUR * n for n in (1, 3, 6, 12)),
    *(_DAY * n for n in (1, 7, 30)),
)
_FIRST: Final = datetime(1, 2, 1, tzinfo=UTC)
_LAST: Final = datetime(9999, 12, 1, tzinfo=UTC)
"""Buckets that begin or end beyond these may lie outside the years that a `datetime` can hold."""


@frozen(kw_only=True)
class Timeline:
    """Consecutive buckets, aligned to multiples of their size since 1970 in UTC."""

    starts_at: datetime
    bucket: timedelta
    buckets: int

    @classmethod
    def of(cls, start: datetime, end: datetime) -> "Timeline":
        """The finest that covers the time from `start` up to `end`, exclusive.

        Its buckets have 1, 5, 15 or 30 minutes, 1, 3, 6 or 12 hours, or 1, 7 or 30 days.

        Raises:
            InvalidParameters: it would have more than 120 buckets, or begin or end where a
                `datetime` cannot.
        """
        if outside := {
            name: f"from {_FIRST.isoformat()} to {_LAST.isoformat()}, so that the timeline has room"
            for name, moment in (("failed_from", start), ("failed_to", end))
            if not _FIRST <= moment <= _LAST
        }:
            raise InvalidParameters(outside)
        for bucket in _SIZES:
            first = (start - _EPOCH) // bucket
            last = -((_EPOCH - end) // bucket)
            if last - first <= MAX_BUCKETS:
                starts_at = _EPOCH + first * bucket
                return cls(starts_at=starts_at, bucket=bucket, buckets=max(last - first, 0))
        raise InvalidParameters(
            {"failed_from": f"at most {MAX_BUCKETS * 30 - 30} days before failed_to"}
        )

    @property
    def ends_at(self) -> datetime:
        return self.starts_at + self.buckets * self.bucket

    def bucket_of(self, moment: datetime) -> int:
        """The number of the bucket that holds the moment, from 0."""
        return (moment - self.starts_at) // self.bucket
