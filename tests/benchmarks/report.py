"""The results as tables: what `make bench` prints, and `results.md`."""

import statistics
from collections.abc import Iterator, Mapping, Sequence

from tests.benchmarks.contenders import names
from tests.benchmarks.results import MemoryOverTime, Reads, Results
from tests.benchmarks.speed_to_reach import targets
from tests.benchmarks.table import NONE, TIMES, Table, number, spread

_INTRODUCTION = """\
# Benchmarks

{run} run at {at} of commit {commit}, on {cores} cores of {cpu}, {memory} GiB, {system},
Python {python}, PostgreSQL {postgresql} (embedded, durable: fsync, full_page_writes and
synchronous_commit on); load average for each core just before: {load}. Each number is the median of
its rounds, in brackets the least and the most. Ratios are taken round by round. On another machine
only the ratios mean anything.
"""


def report(results: Results) -> str:
    """The whole report, as Markdown that is also readable as plain text."""
    machine = results.machine
    introduction = _INTRODUCTION.format(
        run="Quick" if results.quick else "Full",
        at=machine.at,
        commit=machine.commit,
        cores=machine.cores,
        cpu=machine.cpu,
        memory=machine.memory_gib,
        system=machine.system,
        python=machine.python,
        postgresql=machine.postgresql,
        load=machine.load_average,
    )
    return "\n".join([introduction, *map(str, _tables(results))])


def _tables(results: Results) -> Iterator[Table]:
    for table in (
        _speed_to_reach(results),
        _retries(results),
        _latencies(results),
        _bulk(results),
        _relay(results),
        _growth(results),
        _draining(results),
        _start(results),
    ):
        if table.rows:
            yield table
    if results.reads:
        yield _reads(results.reads)
    if results.memory:
        yield _memory(results.memory)


def _speed_to_reach(results: Results) -> Table:
    return Table(
        "Speed to reach",
        ["what", "against", "target", "measured", "holds"],
        [
            [
                target.what,
                target.against,
                target.required,
                spread(target.measured),
                NONE if target.holds is None else _yes_or_no(target.holds),
            ]
            for target in targets(results)
        ],
        f"Rows without a bound are reported only: they have {NONE} in the last column.",
    )


def _yes_or_no(said: bool) -> str:
    return "yes" if said else "no"


def _clients(results: Results) -> Sequence[int]:
    return sorted({rate.clients for rate in results.retries})


def _contenders(results: Results) -> Mapping[str, bool]:
    """Each with whether it delivers."""
    return {rate.contender: rate.delivers for rate in results.retries}


def _retries(results: Results) -> Table:
    rows = []
    for contender, delivers in _contenders(results).items():
        row = [contender, _yes_or_no(delivers)]
        for clients in _clients(results):
            rate = results.retry_rate(contender, clients)
            service = results.retry_rate(names.SERVICE, clients)
            ratio = ""
            if rate and service:
                ratio = f" {TIMES}{number(rate.per_second.over(service.per_second).median)}"
            row.append(spread(rate.per_second) + ratio if rate else NONE)
        rows.append(row)
    return Table(
        "Retries a second",
        [
            *("", "delivers"),
            *(f"{count} clients" if count > 1 else "1 client" for count in _clients(results)),
        ],
        rows,
        f"{TIMES} is the ratio to the service as shipped. Who delivers hands job and event to "
        "Procrastinate; who does not leaves them in the outbox, if it has one.",
    )


def _latencies(results: Results) -> Table:
    return Table(
        "Latency of a retry and CPU time of the server for it",
        ["", "clients", "p50, ms", "p99, ms", "CPU, µs"],
        [
            [
                rate.contender,
                str(rate.clients),
                spread(rate.p50_ms),
                spread(rate.p99_ms),
                spread(rate.cpu_us),
            ]
            for rate in results.retries
            if rate.p50_ms
        ],
    )


def _bulk(results: Results) -> Table:
    delivers = any(rate.delivers for rate in results.bulk)
    return Table(
        "Retries in bulk, executions a second",
        [
            "executions in one unit of work",
            "unit of work",
            "and read before",
            "and four callers",
            "one SQL statement",
        ],
        [
            [
                f"{rate.executions:,}",
                spread(rate.unit_of_work),
                spread(rate.with_read),
                spread(rate.by_several),
                spread(rate.statement),
            ]
            for rate in results.bulk
        ],
        "A caller in process makes one unit of work after the other. The statement does all of it "
        "in the database, without domain, codecs or driver. Job and event of each execution "
        + ("reach Procrastinate." if delivers else "stay in the outbox."),
    )


def _relay(results: Results) -> Table:
    return Table(
        "Relay",
        [
            "engine",
            "relayed, messages/s",
            "bare client, messages/s",
            "lag p50, p99, ms",
            "bare lag p50, p99, ms",
        ],
        [
            [
                rate.engine,
                spread(rate.relayed),
                spread(rate.bare),
                f"{number(rate.lag_p50_ms)}, {number(rate.lag_p99_ms)}",
                f"{number(rate.bare_lag_p50_ms)}, {number(rate.bare_lag_p99_ms)}",
            ]
            for rate in results.relay
        ],
        "Lag runs from the commit of a retry to the consumer that has its job; the bare one from "
        "the call of the engine's client.",
    )


def _growth(results: Results) -> Table:
    return Table(
        "Latency of a retry as the table grows, one client",
        ["executions", "p50, ms", "p99, ms"],
        [
            [f"{latency.executions:,}", spread(latency.p50_ms), spread(latency.p99_ms)]
            for latency in results.growth
        ],
    )


def _draining(results: Results) -> Table:
    return Table(
        "Outbox drained, messages a second, fill after fill",
        ["", *(f"fill {number}" for number in range(1, _fills(results) + 1))],
        [
            [
                "an old transaction stays open" if one.old_transaction else "no old transaction",
                *map(number, one.per_second.rounds),
            ]
            for one in results.draining
        ],
        "To an engine that costs nothing. While the transaction is open no dead row is removed.",
    )


def _fills(results: Results) -> int:
    return max((len(one.per_second.rounds) for one in results.draining), default=0)


def _start(results: Results) -> Table:
    return Table(
        "From the command to the first 200",
        ["", "seconds", "memory, MiB"],
        [[start.what, spread(start.seconds), spread(start.rss_mib)] for start in results.start],
        "On PostgreSQL the first 200 is that of a retry, else that of `/readyz`.",
    )


def _reads(reads: Reads) -> Table:
    return Table(
        f"Lists and failure groups of {reads.executions:,} executions",
        ["", "p50, ms", "p95, ms"],
        [[one.what, spread(one.p50_ms), spread(one.p95_ms)] for one in reads.latencies],
        "By one client over HTTP, 25 executions with all their fields, the first page and the one "
        "after it; every tenth failed, and another tenant has as many. Retries of another client "
        f"took {spread(reads.retries_alone_p99_ms)} ms (p99) alone and "
        f"{spread(reads.retries_beside_p99_ms)} ms while what the console asks for was read "
        "without a pause.",
    )


def _memory(memory: MemoryOverTime) -> Table:
    quarter = max(1, len(memory.samples) // 4)
    parts = {
        "before": memory.samples[:1],
        "first quarter": memory.samples[1 : 1 + quarter],
        "last quarter": memory.samples[-quarter:],
    }
    return Table(
        "Memory under load",
        ["of the samples", "median, MiB"],
        [
            [part, number(statistics.median(mib for _, mib in samples))]
            for part, samples in parts.items()
        ],
        f"Resident memory of the service as shipped, over {memory.minutes:.1f} minutes and "
        f"{memory.retries:,} retries of 16 clients at a time.",
    )
