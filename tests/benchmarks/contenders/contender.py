from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from attrs import frozen

from tests.benchmarks.arena import Arena


@frozen(kw_only=True)
class Heat:
    """One stretch of time under load."""

    clients: int
    warm_up_s: float
    seconds: float
    ids: Sequence[str]
    """The failed executions to retry, in this heat only."""
    first: int = 0
    """For pgbench, which computes ids itself: the first row of the heat, counted from 0."""
    arena_rows: int = 0
    """For pgbench: the number of all rows."""


@frozen(kw_only=True)
class Measured:
    """The measurements of a heat."""

    retried: int
    """All retries, those of the warm-up included."""
    per_second: float
    p50_ms: float | None = None
    p99_ms: float | None = None
    cpu_us: float | None = None
    """CPU time of the contender's own processes for one retry."""


class Contender(Protocol):
    name: str
    """As in tables and in the chart."""
    delivers: bool
    """Whether job and event reach Procrastinate; otherwise both stay in the outbox."""
    at_most: int
    """Retries a second that it exceeds on no machine; determines how many rows it gets."""

    def running(self, arena: Arena) -> AbstractContextManager[Callable[[Heat], Measured]]:
        """Starts it on an arena; yields a function that retries rows of the latest reset."""
        ...
