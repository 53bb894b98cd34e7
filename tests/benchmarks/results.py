"""The results of a run, as they are kept in JSON."""

from collections.abc import Sequence
from typing import Any

import orjson
from attrs import frozen
from cattrs.preconf.orjson import make_converter

from tests.benchmarks.measured import Spread


@frozen(kw_only=True)
class Machine:
    """Where and when; without it no number means anything."""

    at: str
    commit: str
    cpu: str
    cores: int
    memory_gib: float
    system: str
    python: str
    postgresql: str
    load_average: float
    """Of the minute before the run, for each core; far above 0, other processes were busy."""


@frozen(kw_only=True)
class RetryRate:
    """How fast one contender retries at some number of clients."""

    contender: str
    clients: int
    delivers: bool = False
    """Whether job and event reached Procrastinate."""
    per_second: Spread
    p50_ms: Spread | None = None
    p99_ms: Spread | None = None
    cpu_us: Spread | None = None
    """CPU time of the server's processes for one retry."""


@frozen(kw_only=True)
class BulkRate:
    """Executions a second in units of work of one size."""

    executions: int
    """In one unit of work."""
    delivers: bool = False
    """Whether job and event reached Procrastinate."""
    unit_of_work: Spread
    """Decide, stage and commit."""
    with_read: Spread
    """The same, and read them before with one statement."""
    by_several: Spread
    """The same by four callers at once, together."""
    statement: Spread
    """One set-based statement, written by hand."""


@frozen(kw_only=True)
class RelayRate:
    """Delivery through one broker. Lags run from a commit to the consumer, in ms."""

    engine: str
    """The broker's name; earlier results have it under this one."""
    relayed: Spread
    """Messages a second out of the outbox, jobs and events side by side."""
    bare: Spread
    """Messages a second by the broker's client alone, in batches of the same size."""
    lag_p50_ms: float
    lag_p99_ms: float
    bare_lag_p50_ms: float
    bare_lag_p99_ms: float


@frozen(kw_only=True)
class LatencyAt:
    """One client's retries in a table of some size."""

    executions: int
    p50_ms: Spread
    p99_ms: Spread


@frozen(kw_only=True)
class Draining:
    """Messages a second out of the outbox, fill after fill, with dead rows or without."""

    old_transaction: bool
    """Whether an older transaction stays open, so that no dead row is removed."""
    per_second: Spread


@frozen(kw_only=True)
class MemoryOverTime:
    """Resident memory of the service while it is under load, in MiB."""

    minutes: float
    retries: int
    samples: Sequence[tuple[float, float]]
    """Seconds since the beginning, MiB."""


@frozen(kw_only=True)
class StartUp:
    """From the start of the process to the first 200."""

    what: str
    seconds: Spread
    rss_mib: Spread


@frozen(kw_only=True)
class ReadLatency:
    """One kind of list, or the failure groups, over HTTP by one client."""

    what: str
    p50_ms: Spread
    p95_ms: Spread
    percent: int
    """The percentile that is bounded, 50 or 95."""
    bound_ms: float

    @property
    def bounded_ms(self) -> Spread:
        return self.p95_ms if self.percent == 95 else self.p50_ms


@frozen(kw_only=True)
class Reads:
    """Lists and failure groups of a tenant beside another of the same size."""

    executions: int
    """Of each tenant; every tenth failed."""
    latencies: Sequence[ReadLatency]
    retries_alone_p99_ms: Spread
    """Of one client."""
    retries_beside_p99_ms: Spread
    """The same while another client reads."""


@frozen(kw_only=True)
class Results:
    """All sections; those that were not run are empty."""

    quick: bool
    machine: Machine
    retries: Sequence[RetryRate] = ()
    bulk: Sequence[BulkRate] = ()
    relay: Sequence[RelayRate] = ()
    growth: Sequence[LatencyAt] = ()
    draining: Sequence[Draining] = ()
    reads: Reads | None = None
    memory: MemoryOverTime | None = None
    start: Sequence[StartUp] = ()

    def retry_rate(self, contender: str, clients: int) -> RetryRate | None:
        """What that contender did at so many clients, if it was measured."""
        for rate in self.retries:
            if (rate.contender, rate.clients) == (contender, clients):
                return rate
        return None


def _spread_as_json(spread: Spread) -> dict[str, Any]:
    """With its median, for readers of the JSON."""
    rounds = [float(f"{value:.6g}") for value in spread.rounds]
    return {"median": float(f"{spread.median:.6g}"), "rounds": rounds}


_converter = make_converter()
_converter.register_unstructure_hook(Spread, _spread_as_json)
_converter.register_structure_hook(Spread, lambda value, _: Spread(value["rounds"]))


def to_json(results: Results) -> bytes:
    """Indented, with a line feed at its end."""
    return orjson.dumps(
        _converter.unstructure(results), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    )


def from_json(text: bytes) -> Results:
    """What `to_json` wrote."""
    return _converter.structure(orjson.loads(text), Results)
