from collections.abc import Iterator

from attrs import define, field

from tests.benchmarks.measured import percentile


@define
class Stretch:
    """Retries by several clients during a fixed time.

    Times are those of `perf_counter`, in seconds. What ends before the warm-up is over, or after
    the time is up, counts as retried but is not measured.
    """

    ids: Iterator[str]
    warm_up_s: float
    seconds: float
    retried: int = field(default=0, init=False)
    latencies: list[float] = field(factory=list, init=False)
    _begin: float = field(default=0.0, init=False)
    _end: float = field(default=0.0, init=False)
    _last: float = field(default=0.0, init=False)

    def begin(self, now: float) -> None:
        self._begin = now + self.warm_up_s
        self._end = self._begin + self.seconds

    def next_id(self, now: float) -> str | None:
        """The next execution; None when time is up or all were retried."""
        return next(self.ids, None) if now < self._end else None

    def done(self, asked: float, now: float) -> None:
        """One was retried."""
        self.retried += 1
        if self._begin <= now <= self._end:
            self.latencies.append(now - asked)
            self._last = now

    def measured(self) -> dict[str, float]:
        """Rate and latencies; the values of a `Measured`.

        Raises:
            ValueError: the rows did not last beyond the warm-up.
        """
        if not self.latencies:
            raise ValueError(f"{self.retried} rows were too few for {self.warm_up_s} s of warm-up")
        # Rows may run out before the time does; in-flight requests end up to one latency early.
        ran_out = next(self.ids, None) is None
        seconds = self._last - self._begin if ran_out else self.seconds
        return {
            "retried": self.retried,
            "per_second": len(self.latencies) / seconds,
            "p50_ms": 1000 * percentile(self.latencies, 50),
            "p99_ms": 1000 * percentile(self.latencies, 99),
        }
