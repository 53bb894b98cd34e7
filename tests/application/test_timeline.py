"""The buckets in which failures are counted."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automation_retry.application import InvalidParameters, Timeline
from tests.support.factories import NOON, instants

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MINUTES = (1, 5, 15, 30, 60, 180, 360, 720, 1440, 7 * 1440, 30 * 1440)
SIZES = [timedelta(minutes=minutes) for minutes in MINUTES]
# Lengths of all magnitudes: most of a uniform choice would be years.
lengths = st.builds(
    lambda size, factor, microseconds: size * factor + timedelta(microseconds=microseconds),
    st.sampled_from(SIZES),
    st.integers(0, 118),
    st.integers(0, 59_000_000),
)


def aligned(moment: datetime, size: timedelta) -> datetime:
    """The start of the bucket that holds it, in whole microseconds since 1970."""
    microsecond = timedelta(microseconds=1)
    offset = ((moment - EPOCH) // microsecond) % (size // microsecond)
    return moment - offset * microsecond


def needed(start: datetime, end: datetime, size: timedelta) -> int:
    """Buckets of that size, counted one by one up to 121."""
    first = aligned(start, size)
    return next((number for number in range(122) if first + number * size >= end), 121)


@given(end=instants, length=lengths)
def test_a_timeline_covers_its_time(end: datetime, length: timedelta) -> None:
    """With aligned ends, as close to it as they can be."""
    start = end - length
    timeline = Timeline.of(start, end)

    assert timeline.bucket in SIZES
    assert timeline.buckets <= 120
    assert timeline.starts_at == aligned(start, timeline.bucket)
    assert timeline.starts_at <= start
    assert end <= timeline.ends_at < end + timeline.bucket
    assert timeline.ends_at == timeline.starts_at + timeline.buckets * timeline.bucket


@given(end=instants, length=lengths)
def test_its_buckets_are_the_finest(end: datetime, length: timedelta) -> None:
    """The next finer ones would be more than 120."""
    timeline = Timeline.of(end - length, end)
    finer = [size for size in SIZES if size < timeline.bucket]

    assert all(needed(end - length, end, size) > 120 for size in finer)
    assert needed(end - length, end, timeline.bucket) == timeline.buckets


@given(end=instants, length=lengths, share=st.floats(0, 1, exclude_max=True))
def test_a_moment_is_in_the_bucket_that_begins_before_it(
    end: datetime, length: timedelta, share: float
) -> None:
    """A bucket holds its start and not its end."""
    timeline = Timeline.of(end - length, end)
    moment = end - length + share * length
    number = timeline.bucket_of(moment)
    starts = timeline.starts_at + number * timeline.bucket

    assert starts <= moment < starts + timeline.bucket
    assert moment == end or 0 <= number < timeline.buckets


@pytest.mark.parametrize(
    ("length", "bucket", "buckets"),
    [
        (timedelta(hours=2), timedelta(minutes=1), 120),
        (timedelta(hours=2, microseconds=1), timedelta(minutes=5), 25),
        (timedelta(days=1), timedelta(minutes=15), 96),
        (timedelta(days=7), timedelta(hours=3), 56),
        (timedelta(days=30), timedelta(hours=6), 120),
        (timedelta(days=120), timedelta(days=1), 120),
        (timedelta(days=365), timedelta(days=7), 53),
    ],
)
def test_usual_times_have_these_buckets(length: timedelta, bucket: timedelta, buckets: int) -> None:
    """From a midnight on, which begins a bucket of any size up to a day."""
    midnight = datetime(2026, 11, 26, tzinfo=UTC)  # a Thursday, as 1970 began
    timeline = Timeline.of(midnight, midnight + length)

    assert (timeline.bucket, timeline.buckets) == (bucket, buckets)
    assert timeline.starts_at == midnight


def test_no_time_has_no_bucket_or_the_one_around_it() -> None:
    """From and to may be equal."""
    minute = NOON.replace(second=0, microsecond=0)

    assert Timeline.of(minute, minute).buckets == 0
    assert Timeline.of(NOON, NOON).buckets == 1


@given(end=instants, microseconds=st.integers(-1, 1))
def test_up_to_3570_days_always_fit(end: datetime, microseconds: int) -> None:
    """As the error promises; more than 3,600 never do."""
    most = timedelta(days=3570)

    assert Timeline.of(end - most, end).bucket == timedelta(days=30)
    with pytest.raises(InvalidParameters) as refused:
        Timeline.of(end - timedelta(days=3600, microseconds=1 + abs(microseconds)), end)
    assert refused.value.expected == {"failed_from": "at most 3570 days before failed_to"}


@given(
    start=st.datetimes(timezones=st.just(UTC)),
    end=st.datetimes(timezones=st.just(UTC)),
)
def test_any_times_make_a_timeline_or_are_refused(start: datetime, end: datetime) -> None:
    """At the end of the years that a `datetime` can hold as well."""
    start, end = min(start, end), max(start, end)
    for first, last in pairwise((start, start, end, end)):
        try:
            timeline = Timeline.of(first, last)
        except InvalidParameters:
            continue
        assert timeline.starts_at <= first
        assert last <= timeline.ends_at


@pytest.mark.parametrize(
    ("start", "end", "names"),
    [
        (datetime(1, 1, 1, tzinfo=UTC), datetime(1, 3, 1, tzinfo=UTC), ["failed_from"]),
        (
            datetime(1, 1, 1, tzinfo=UTC),
            datetime(1, 1, 2, tzinfo=UTC),
            ["failed_from", "failed_to"],
        ),
        (datetime(9999, 11, 1, tzinfo=UTC), datetime.max.replace(tzinfo=UTC), ["failed_to"]),
    ],
)
def test_the_first_and_the_last_month_have_no_timeline(
    start: datetime, end: datetime, names: list[str]
) -> None:
    """Its aligned ends could not be said."""
    with pytest.raises(InvalidParameters) as refused:
        Timeline.of(start, end)
    assert list(refused.value.expected) == names
