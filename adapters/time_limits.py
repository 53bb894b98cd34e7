"""Time limits that share one timer.

`asyncio.timeout` sets a timer for each wait, which together take a tenth of the time of a retry.
"""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from attrs import define, field

_TICK_S = 0.2


@define(eq=False)
class TimeLimits:
    """Checks all current limits every 0.2 s and cancels the tasks that exceeded theirs.

    So a task is cancelled up to 0.2 s late. Time is that of the event loop, which is monotonic.
    """

    _limits: set["Limit"] = field(init=False, factory=set)
    _loop: asyncio.AbstractEventLoop | None = field(init=False, default=None)
    """The loop in which the next tick is scheduled."""

    def until(
        self,
        deadline: float,
        error: Callable[[], Exception],
        *,
        slow_at: float | None = None,
        on_slow: Callable[["Limit"], Any] | None = None,
    ) -> "Limit":
        """A context that cancels what is inside at `deadline`, by the clock of the event loop.

        It raises a new `error` in place of that cancellation. `on_slow` is called once when the
        task is still inside at `slow_at`.
        """
        return Limit(self, deadline, error, slow_at, on_slow)

    def add(self, limit: "Limit", loop: asyncio.AbstractEventLoop) -> None:
        self._limits.add(limit)
        if self._loop is not loop:
            self._loop = loop
            loop.call_later(_TICK_S, self._tick)

    def discard(self, limit: "Limit") -> None:
        self._limits.discard(limit)

    def _tick(self) -> None:
        loop, self._loop = self._loop, None
        assert loop is not None  # noqa: S101 - set when the tick was scheduled
        if not self._limits:
            return  # the next limit schedules it again
        self._loop = loop
        loop.call_later(_TICK_S, self._tick)
        now = loop.time()
        for limit in [*self._limits]:
            limit.look(now)


class Limit:
    """One use of a limit; see `TimeLimits.until`."""

    __slots__ = (
        "_before",
        "_deadline",
        "_error",
        "_expired",
        "_limits",
        "_on_slow",
        "_slow_at",
        "task",
    )

    def __init__(
        self,
        limits: TimeLimits,
        deadline: float,
        error: Callable[[], Exception],
        slow_at: float | None,
        on_slow: "Callable[[Limit], Any] | None",
    ) -> None:
        self._limits = limits
        self._deadline = deadline
        self._error = error
        self._slow_at = slow_at
        self._on_slow = on_slow
        self._expired = False

    def __enter__(self) -> Self:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a limit is used in a task")
        self.task = task
        self._before = task.cancelling()
        self._limits.add(self, task.get_loop())
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._limits.discard(self)
        # Like `asyncio.timeout`: a cancellation by somebody else is passed on.
        if (
            self._expired
            and self.task.uncancel() <= self._before
            and exc_type is asyncio.CancelledError
        ):
            raise self._error() from exc

    def look(self, now: float) -> None:
        """Cancels the task or calls `on_slow`, if that is due."""
        if now >= self._deadline:
            self._limits.discard(self)
            self._expired = True
            self.task.cancel()
        elif self._slow_at is not None and self._on_slow and now >= self._slow_at:
            self._slow_at = None
            self._on_slow(self)
