"""The table `Speed to reach` of the design, with what was measured."""

from collections.abc import Iterator, Mapping
from typing import Final

from attrs import frozen

from tests.benchmarks.contenders import names
from tests.benchmarks.measured import Spread
from tests.benchmarks.results import Results

_AGAINST_DELIVERING: Final[Mapping[int, float]] = {1: 0.75, 16: 1.0, 64: 1.3}
_AGAINST_FLAT: Final[Mapping[int, float]] = {1: 0.7, 16: 1.0, 64: 1.3}
_WITH_DELIVERY: Final = 0.8
_IN_BULK: Final = 10.0
_RELAY: Final = 0.5
_RELAY_REPORTED: Final = frozenset({"procrastinate"})
"""Brokers that the relay serves only after an upgrade; as shipped the commit delivers."""
_GROWTH: Final = 1.2
_BESIDE_READS: Final = 2.0


@frozen(kw_only=True)
class Target:
    """A number of the design: to be reached where it has a bound, else only reported."""

    what: str
    against: str
    measured: Spread
    bound: float | None = None
    at_most: bool = False
    """Whether the bound is an upper one."""
    aim: float | None = None
    """A ratio to come near to, without which nothing fails."""

    @property
    def required(self) -> str:
        """The bound, the aim, or that it is only reported; as in the table."""
        if self.bound is not None:
            return f"{'≤' if self.at_most else '≥'} {self.bound:g}"
        return "reported" if self.aim is None else f"reported, aim {self.aim:g}"

    @property
    def holds(self) -> bool | None:
        """Whether the median of the rounds keeps the bound; None where there is none."""
        if self.bound is None:
            return None
        median = self.measured.median
        return median <= self.bound if self.at_most else median >= self.bound


def targets(results: Results) -> list[Target]:
    """Those that the run has measured, in the order of the design."""
    return [
        *_single(results),
        *_bulk(results),
        *_relay(results),
        *_growth(results),
        *_reads(results),
    ]


def _single(results: Results) -> Iterator[Target]:
    for clients, bound in _AGAINST_DELIVERING.items():
        against = "a flat script of the same work that delivers by the same SQL function"
        yield from _as_shipped(results, clients, names.FLAT_DELIVERING, against, bound=bound)
    for clients in _AGAINST_DELIVERING:
        against = "the service without any delivery"
        yield from _as_shipped(
            results, clients, names.SERVICE_WITHOUT_DELIVERY, against, bound=_WITH_DELIVERY
        )
    for clients, aim in _AGAINST_FLAT.items():
        against = "the flat script that delivers nothing"
        yield from _as_shipped(results, clients, names.FLAT, against, aim=aim)


def _as_shipped(
    results: Results,
    clients: int,
    contender: str,
    against: str,
    *,
    bound: float | None = None,
    aim: float | None = None,
) -> Iterator[Target]:
    """The service against another contender, if both were measured."""
    service = results.retry_rate(names.SERVICE, clients)
    other = results.retry_rate(contender, clients)
    if service and other:
        yield Target(
            what=f"retries a second over HTTP as shipped, {_clients(clients)}",
            against=against,
            measured=service.per_second.over(other.per_second),
            bound=bound,
            aim=aim,
        )


def _bulk(results: Results) -> Iterator[Target]:
    """Against the service that does as much with the messages."""
    if not results.bulk:
        return
    largest = max(results.bulk, key=lambda rate: rate.executions)
    single = names.SERVICE if largest.delivers else names.SERVICE_WITHOUT_DELIVERY
    for callers, rate, clients, bound in (
        ("one caller", largest.with_read, 1, _IN_BULK),
        ("four callers", largest.by_several, 16, None),
    ):
        service = results.retry_rate(single, clients)
        if service:
            delivery = "" if largest.delivers else " without delivery"
            yield Target(
                what=f"retries in bulk, {largest.executions:,} in a unit of work, {callers}",
                against=f"single retries over HTTP{delivery}, {_clients(clients)}",
                measured=rate.over(service.per_second),
                bound=bound,
            )


def _relay(results: Results) -> Iterator[Target]:
    for rate in results.relay:
        yield Target(
            what=f"relay to {rate.engine}, messages a second",
            against="the bare client in batches on the same broker",
            measured=rate.relayed.over(rate.bare),
            bound=None if rate.engine in _RELAY_REPORTED else _RELAY,
        )


def _growth(results: Results) -> Iterator[Target]:
    if results.growth:
        small = min(results.growth, key=lambda latency: latency.executions)
        large = max(results.growth, key=lambda latency: latency.executions)
        yield Target(
            what=f"retry latency (p50) at {large.executions:,} executions",
            against=f"at {small.executions:,}",
            measured=large.p50_ms.over(small.p50_ms),
            bound=_GROWTH,
            at_most=True,
        )


def _reads(results: Results) -> Iterator[Target]:
    if results.reads is None:
        return
    for read in results.reads.latencies:
        yield Target(
            what=f"{read.what}, p{read.percent} in ms",
            against=f"of {results.reads.executions:,} executions, a tenth failed",
            measured=read.bounded_ms,
            bound=read.bound_ms,
            at_most=True,
        )
    yield Target(
        what="retry latency (p99) while another client reads lists and groups",
        against="alone",
        measured=results.reads.retries_beside_p99_ms.over(results.reads.retries_alone_p99_ms),
        bound=_BESIDE_READS,
        at_most=True,
    )


def _clients(count: int) -> str:
    return f"{count} clients" if count > 1 else "1 client"
