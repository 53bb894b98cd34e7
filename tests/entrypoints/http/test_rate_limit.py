from collections.abc import Callable
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from attrs import define

from automation_retry.entrypoints.http import RateLimiter
from tests.support.factories import NOON

SECOND = 1_000_000_000
TENANT = uuid4()
KEY = uuid4()


@define
class Ticking:
    """A monotonic clock that moves when told to."""

    ns: int = 5 * SECOND + 7

    def __call__(self) -> int:
        return self.ns


@pytest.fixture
def clock() -> Ticking:
    return Ticking()


@pytest.fixture
def limiter(clock: Ticking) -> RateLimiter:
    return RateLimiter(enforce=True, monotonic_ns=clock, clock=lambda: NOON)


def taken(limiter: RateLimiter, times: int, key: UUID = KEY) -> list[int]:
    return [limiter.take(TENANT, key).remaining for _ in range(times)]


def test_a_burst_counts_down_to_nothing(limiter: RateLimiter) -> None:
    """The first 120 requests get a token each, and `remaining` is exact."""
    assert taken(limiter, 120) == list(range(119, -1, -1))


def test_the_request_after_the_burst_waits_for_one_token(limiter: RateLimiter) -> None:
    """With the bucket just emptied the next token is a second away."""
    taken(limiter, 120)

    refused = limiter.take(TENANT, KEY)

    assert (refused.limit, refused.remaining, refused.retry_after_ms) == (120, 0, 1000)


def test_a_refusal_costs_nothing(limiter: RateLimiter, clock: Ticking) -> None:
    """Refused requests do not delay the next token."""
    taken(limiter, 120)
    for _ in range(50):
        limiter.take(TENANT, KEY)

    clock.ns += SECOND

    assert [limiter.take(TENANT, KEY).retry_after_ms for _ in range(2)] == [0, 1000]


def test_the_wait_is_rounded_up(limiter: RateLimiter, clock: Ticking) -> None:
    """A caller that waits `retry_after_ms` gets a token, so part of a ms counts as one."""
    taken(limiter, 120)

    clock.ns += SECOND - 1

    assert limiter.take(TENANT, KEY).retry_after_ms == 1


@pytest.mark.parametrize(("seconds", "remaining"), [(1, 0), (59, 58), (120, 119), (10**9, 119)])
def test_tokens_come_back_one_a_second(
    limiter: RateLimiter, clock: Ticking, seconds: int, remaining: int
) -> None:
    """60 a minute, evenly, and never more than the burst."""
    taken(limiter, 120)

    clock.ns += seconds * SECOND

    assert limiter.take(TENANT, KEY).remaining == remaining


def test_each_key_of_each_tenant_has_its_own_bucket(limiter: RateLimiter) -> None:
    """An exhausted key limits neither another key nor the same key id in another tenant."""
    taken(limiter, 121)

    others = [limiter.take(TENANT, uuid4()), limiter.take(uuid4(), KEY)]

    assert [one.remaining for one in others] == [119, 119]


def test_only_the_first_refusal_in_a_row_says_so(limiter: RateLimiter, clock: Ticking) -> None:
    """So that a flood writes one line for each token at most."""
    taken(limiter, 120)

    first, second = limiter.take(TENANT, KEY), limiter.take(TENANT, KEY)
    clock.ns += SECOND
    let_in, refused_again = limiter.take(TENANT, KEY), limiter.take(TENANT, KEY)

    assert [one.first_refusal for one in (first, second, let_in, refused_again)] == [
        True,
        False,
        False,
        True,
    ]


def test_full_buckets_are_forgotten(limiter: RateLimiter, clock: Ticking) -> None:
    """A hundred thousand keys, ten a second, keep no more than those that are in use."""
    for _ in range(100_000):
        limiter.take(TENANT, uuid4())
        clock.ns += SECOND // 10

    assert len(limiter._full_at) <= 1024  # noqa: SLF001 - memory shows nowhere else


def test_a_bucket_in_use_is_not_forgotten(limiter: RateLimiter) -> None:
    """An empty bucket stays empty, however many other keys are used."""
    taken(limiter, 120)
    for _ in range(5000):
        limiter.take(TENANT, uuid4())

    assert limiter.take(TENANT, KEY).retry_after_ms == 1000


def test_the_reset_is_in_wall_clock_time(limiter: RateLimiter) -> None:
    """The monotonic clock means nothing to a caller."""
    taken(limiter, 120)

    assert limiter.resets_at(limiter.take(TENANT, KEY)) == NOON + timedelta(seconds=1)


@pytest.mark.parametrize("wrong", [{"burst": 0}, {"refill_per_minute": 0}])
def test_a_bucket_that_never_fills_cannot_be_built(
    clock: Callable[[], int], wrong: dict[str, int]
) -> None:
    """A burst or a refill of 0 would refuse every request."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        RateLimiter(enforce=True, monotonic_ns=clock, clock=lambda: NOON, **wrong)
