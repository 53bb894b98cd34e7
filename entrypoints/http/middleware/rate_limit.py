"""AlgaPSA's rate limit: a token bucket for each API key of a tenant, within one process."""

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from attrs import define, field
from attrs.validators import ge

from automation_retry.application.ports import Clock
from automation_retry.entrypoints.http.wire.request_context import Allowance

_NS_PER_MINUTE = 60_000_000_000
_NS_PER_MS = 1_000_000
_FIRST_SWEEP = 1024


@define(kw_only=True)
class RateLimiter:
    """Always counts; `enforce` says whether requests are refused. Each process counts by itself.

    A bucket is one number: the time at which it will be full again, in ns, so that no rounding
    error accumulates. A full bucket needs no record, so there are never many more buckets than keys
    that were used within the last `burst` refills.
    """

    enforce: bool
    monotonic_ns: Callable[[], int]
    clock: Clock
    """Only for the time at which a refused caller may try again."""
    burst: int = field(default=120, validator=ge(1))
    refill_per_minute: int = field(default=60, validator=ge(1))
    _full_at: dict[tuple[UUID, UUID | None], int] = field(factory=dict, init=False)
    _refused: set[tuple[UUID, UUID | None]] = field(factory=set, init=False)
    _ns_per_token: int = field(init=False)
    _next_sweep: int = field(default=_FIRST_SWEEP, init=False)

    def __attrs_post_init__(self) -> None:
        self._ns_per_token = _NS_PER_MINUTE // self.refill_per_minute

    def take(self, tenant: UUID, api_key_id: UUID | None) -> Allowance:
        """Takes one token, if there is one."""
        now = self.monotonic_ns()
        bucket = (tenant, api_key_id)
        per_token = self._ns_per_token
        full_at = max(self._full_at.get(bucket, 0), now) + per_token
        room = now + self.burst * per_token - full_at
        if room >= 0:
            self._full_at[bucket] = full_at
            self._refused.discard(bucket)
            if len(self._full_at) >= self._next_sweep:
                self._forget_full(now)
            return Allowance(self.burst, room // per_token)
        retry_after_ms = -(room // _NS_PER_MS)
        first_refusal = bucket not in self._refused
        self._refused.add(bucket)
        return Allowance(self.burst, 0, retry_after_ms, first_refusal)

    def resets_at(self, allowance: Allowance) -> datetime:
        """When the next token comes, in UTC."""
        return self.clock() + timedelta(milliseconds=allowance.retry_after_ms)

    def _forget_full(self, now: int) -> None:
        self._full_at = {bucket: at for bucket, at in self._full_at.items() if at > now}
        self._refused &= self._full_at.keys()
        self._next_sweep = max(_FIRST_SWEEP, 2 * len(self._full_at))
