"""The time budget of a request: one deadline for everything that it waits for."""

import asyncio
from collections.abc import Callable
from typing import Any

from attrs import field, frozen

from automation_retry.adapters.time_limits import Limit, TimeLimits
from automation_retry.application import StorageUnavailable


def _over() -> StorageUnavailable:
    return StorageUnavailable("no answer within the request's time")


@frozen
class RequestTime:
    """The time limit of requests over HTTP and of calls in process; it is a `Budget`."""

    seconds: float
    _limits: TimeLimits = field(factory=TimeLimits)

    def __call__(self) -> Limit:
        return self.until(self.deadline())

    def deadline(self) -> float:
        """The deadline of a request that begins now, by the event loop's monotonic clock."""
        return asyncio.get_running_loop().time() + self.seconds

    def until(
        self,
        deadline: float,
        *,
        slow_at: float | None = None,
        on_slow: Callable[[Limit], Any] | None = None,
    ) -> Limit:
        """A context that cancels its body at `deadline` and raises `StorageUnavailable`.

        See `TimeLimits.until`.
        """
        return self._limits.until(deadline, _over, slow_at=slow_at, on_slow=on_slow)
