"""The table `Speed to reach` of the design, with what was measured."""

from collections.abc import Iterator

from attrs import frozen

from tests.benchmarks.contenders import names
from tests.benchmarks.measured import Spread
from tests.benchmarks.results import Results

_CLIENTS = 16


@frozen(kw_only=True)
class Target:
    """A ratio that is to be reached."""

    what: str
    against: str
    bound: float
    measured: Spread
    at_most: bool = False
    """Whether the bound is an upper one."""

    @property
    def holds(self) -> bool:
        """In the median of the rounds."""
        median = self.measured.median
        return median <= self.bound if self.at_most else median >= self.bound


def targets(results: Results) -> list[Target]:
    """Those that the run has measured, in the order of the design."""
    return [*_single(results), *_bulk(results), *_relay(results), *_growth(results)]


def _single(results: Results) -> Iterator[Target]:
    service = results.retry_rate(names.SERVICE, _CLIENTS)
    for contender, bound, against in (
        (names.FLAT, 0.9, "a flat Starlette + psycopg script of the same reads and write"),
        (names.STATEMENTS, 0.3, "pgbench running the statements alone, prepared"),
    ):
        other = results.retry_rate(contender, _CLIENTS)
        if service and other:
            yield Target(
                what=f"retries a second over HTTP, {_CLIENTS} clients, one process, no relay",
                against=against,
                bound=bound,
                measured=service.per_second.over(other.per_second),
            )


def _bulk(results: Results) -> Iterator[Target]:
    if not results.bulk:
        return
    largest = max(results.bulk, key=lambda rate: rate.executions)
    for callers, rate, clients in (
        ("one caller", largest.with_read, 1),
        ("four callers", largest.by_several, _CLIENTS),
    ):
        service = results.retry_rate(names.SERVICE, clients)
        if service:
            yield Target(
                what=f"retries in bulk, {largest.executions:,} in a unit of work, {callers}",
                against=f"single retries over HTTP, {clients} client{'s' if clients > 1 else ''}",
                bound=10,
                measured=rate.over(service.per_second),
            )


def _relay(results: Results) -> Iterator[Target]:
    for rate in results.relay:
        yield Target(
            what=f"relay to {rate.engine}, messages a second",
            against="the bare client in batches on the same engine",
            bound=0.5,
            measured=rate.relayed.over(rate.bare),
        )


def _growth(results: Results) -> Iterator[Target]:
    if results.growth:
        small = min(results.growth, key=lambda latency: latency.executions)
        large = max(results.growth, key=lambda latency: latency.executions)
        yield Target(
            what=f"retry latency (p50) at {large.executions:,} executions",
            against=f"at {small.executions:,}",
            bound=1.2,
            measured=large.p50_ms.over(small.p50_ms),
            at_most=True,
        )
