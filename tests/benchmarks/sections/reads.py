"""Lists and failure groups over HTTP by one client, and retries beside somebody who reads."""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from http import HTTPStatus
from http.client import HTTPConnection
from itertools import cycle
from typing import Any, Final
from urllib.parse import quote, urlencode

import orjson
from attrs import frozen

from tests.benchmarks.arena import API_KEY, Arenas
from tests.benchmarks.companion import Companion
from tests.benchmarks.contenders.contender import Heat
from tests.benchmarks.contenders.over_http import service
from tests.benchmarks.failed_rows import failed_ids
from tests.benchmarks.listed_rows import A_RULE, DAYS, ENDS_AT, FAILED_OF_TEN, fill
from tests.benchmarks.load import HOST
from tests.benchmarks.measured import Spread, percentile
from tests.benchmarks.plan import Plan
from tests.benchmarks.progress import tell
from tests.benchmarks.results import ReadLatency, Reads

_LISTS: Final = "/api/v1/automation/executions"
_GROUPS: Final = "/api/v1/automation/failure-groups"
_MONTH: Final = {
    "failed_from": (ENDS_AT - timedelta(days=DAYS + 1)).isoformat(),
    "failed_to": ENDS_AT.isoformat(),
}
_FAILED: Final = {"status": "failed", "sort": "failed_at"}
_RETRIES_A_SECOND: Final = 1_000
"""That one client exceeds on no machine."""


@frozen(kw_only=True)
class _Read:
    what: str
    path: str
    parameters: Mapping[str, str]
    percent: int
    """The percentile that is bounded."""
    bound_ms: float
    is_frequent: bool = True
    """Whether the console asks for it: then its second page is read after the first."""


@frozen
class _Reader:
    """One client with a connection that is kept."""

    connection: HTTPConnection

    def page(self, path: str, parameters: Mapping[str, str]) -> tuple[float, Any]:
        """How long the answer takes, in ms, and the answer."""
        target = f"{path}?{urlencode(parameters, quote_via=quote)}"
        began = time.perf_counter()
        self.connection.request("GET", target, headers={"x-api-key": API_KEY})
        response = self.connection.getresponse()
        body = response.read()
        taken = time.perf_counter() - began
        assert response.status == HTTPStatus.OK, body
        return 1000 * taken, orjson.loads(body)

    def read(self, read: _Read) -> list[float]:
        """How long each of its pages takes, in ms."""
        parameters = read.parameters
        latencies = []
        for _ in range(2 if read.is_frequent else 1):
            taken, answer = self.page(read.path, parameters)
            latencies.append(taken)
            cursor = answer.get("pagination", {}).get("nextCursor")
            if cursor is None:
                break
            parameters = {**read.parameters, "cursor": cursor}
        return latencies


@contextmanager
def _reader(port: int) -> Iterator[_Reader]:
    connection = HTTPConnection(HOST, port, timeout=30)
    try:
        yield _Reader(connection)
    finally:
        connection.close()


def measure(arenas: Arenas, plan: Plan, load: Companion) -> Reads:
    """One service on one database; each round reads everything."""
    tell(f"reads, making {plan.read_executions:,} executions in each of two tenants")
    arena = arenas.new()
    fill(arena, plan.read_executions)
    contender = service(load, plan.service)
    with contender.served(arena) as (server, port), _reader(port) as reader:
        reads = _reads(reader)
        rounds: dict[str, list[Sequence[float]]] = {read.what: [] for read in reads}
        for number in range(plan.rounds):
            tell(f"reads, round {number + 1} of {plan.rounds}")
            for read in reads:
                reader.read(read)  # warms up
                rounds[read.what].append(_latencies(plan, reader, read))

        frequent = [read for read in reads if read.is_frequent]
        ids = iter(failed_ids(plan.read_executions, failed_of_ten=FAILED_OF_TEN))
        alone: list[float] = []
        beside: list[float] = []
        at_most = round((plan.warm_up_s + plan.seconds) * _RETRIES_A_SECOND)
        for number in range(plan.rounds):
            tell(f"reads, retries beside them, round {number + 1} of {plan.rounds}")
            for reading, latencies_ms in ((False, alone), (True, beside)):
                heat = Heat(
                    clients=1,
                    warm_up_s=plan.warm_up_s,
                    seconds=plan.seconds,
                    ids=[one for one, _ in zip(ids, range(at_most), strict=False)],
                )
                with _reading(port, frequent if reading else ()):
                    measured = contender.attack(server, port, heat)
                assert measured.p99_ms
                latencies_ms.append(measured.p99_ms)
    arenas.drop(arena)
    return Reads(
        executions=plan.read_executions,
        latencies=[
            ReadLatency(
                what=read.what,
                p50_ms=Spread(percentile(one, 50) for one in rounds[read.what]),
                p95_ms=Spread(percentile(one, 95) for one in rounds[read.what]),
                percent=read.percent,
                bound_ms=read.bound_ms,
            )
            for read in reads
        ],
        retries_alone_p99_ms=Spread(alone),
        retries_beside_p99_ms=Spread(beside),
    )


def _latencies(plan: Plan, reader: _Reader, read: _Read) -> Sequence[float]:
    """As many as planned, or as there is time for."""
    ends_at = time.perf_counter() + plan.read_s
    latencies: list[float] = []
    while len(latencies) < plan.read_requests and time.perf_counter() < ends_at:
        latencies += reader.read(read)
    return latencies


def _reads(reader: _Reader) -> Sequence[_Read]:
    rule = {"automation_rule_id": A_RULE}
    _, groups = reader.page(_GROUPS, _MONTH)
    group = {"failure_group_id": groups["data"][0]["failure_group_id"], "sort": "failed_at"}

    def console(what: str, **parameters: str) -> _Read:
        return _Read(what=what, path=_LISTS, parameters=parameters, percent=95, bound_ms=30)

    def other(what: str, **parameters: str) -> _Read:
        return _Read(
            what=what,
            path=_LISTS,
            parameters=parameters,
            percent=50,
            bound_ms=500,
            is_frequent=False,
        )

    return [
        console("all, by their start"),
        console("those of a rule", **rule),
        console("failed, by their failure", **_FAILED),
        console("failed of a rule", **_FAILED, **rule),
        console("a failure group", **group),
        other("a rare status", status="running"),
        other("a search that finds nothing", search="no such text"),
        other("the longest first", sort="duration_ms"),
        _Read(
            what=f"failure groups of {groups['summary']['executions']:,} executions",
            path=_GROUPS,
            parameters=_MONTH,
            percent=95,
            bound_ms=1000,
        ),
    ]


@contextmanager
def _reading(port: int, reads: Sequence[_Read]) -> Iterator[None]:
    """Another client reads meanwhile, one after the other without a pause."""
    over = threading.Event()

    def go_on() -> None:
        with _reader(port) as reader:
            for read in cycle(reads):
                if over.is_set():
                    break
                reader.read(read)

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
