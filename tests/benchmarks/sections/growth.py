"""Whether a retry becomes slower as the table of executions grows."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import islice

from attrs import frozen

from tests.benchmarks.arena import Arena, Arenas
from tests.benchmarks.companion import Companion
from tests.benchmarks.contenders.contender import Heat
from tests.benchmarks.contenders.over_http import OverHttp, service
from tests.benchmarks.failed_rows import ADD_ROWS, failed_ids, row_parameters
from tests.benchmarks.measured import Spread
from tests.benchmarks.plan import Plan
from tests.benchmarks.processes import ServerProcess
from tests.benchmarks.progress import tell
from tests.benchmarks.results import LatencyAt

_FAILED_OF_TEN = 3
_WARM_UP_RETRIES = 100
_LONG_ENOUGH_S = 300.0


@frozen
class Grown:
    """A service on a database of some size, and the executions that are left to be retried."""

    contender: OverHttp
    server: ServerProcess
    port: int
    ids: Iterator[str]

    def retry(self, count: int) -> tuple[float, float]:
        """Latencies of so many retries by one client: p50 and p99, in ms."""
        ids = list(islice(self.ids, count))
        heat = Heat(clients=1, warm_up_s=0, seconds=_LONG_ENOUGH_S, ids=ids)
        measured = self.contender.attack(self.server, self.port, heat)
        assert measured.retried == count
        assert measured.p50_ms
        assert measured.p99_ms
        return measured.p50_ms, measured.p99_ms


def measure(arenas: Arenas, plan: Plan, load: Companion) -> list[LatencyAt]:
    """All sizes exist at the same time, so that rounds can alternate between them."""
    latencies: dict[int, list[tuple[float, float]]] = {size: [] for size in plan.growth_sizes}
    with ExitStack() as stack:
        grown = {
            size: stack.enter_context(_grown(arenas, plan, load, size))
            for size in plan.growth_sizes
        }
        for number in range(plan.rounds):
            tell(f"growth, round {number + 1} of {plan.rounds}")
            first = number % len(plan.growth_sizes)
            for size in (*plan.growth_sizes[first:], *plan.growth_sizes[:first]):
                grown[size].retry(_WARM_UP_RETRIES)
                latencies[size].append(grown[size].retry(plan.growth_retries))
    return [
        LatencyAt(
            executions=size,
            p50_ms=Spread(p50 for p50, _ in latencies[size]),
            p99_ms=Spread(p99 for _, p99 in latencies[size]),
        )
        for size in plan.growth_sizes
    ]


@contextmanager
def _grown(arenas: Arenas, plan: Plan, load: Companion, size: int) -> Iterator[Grown]:
    tell(f"growth, making {size:,} executions")
    arena = arenas.new()
    _fill(arena, size)
    contender = service(load, plan.service)
    with contender.served(arena) as (server, port):
        yield Grown(contender, server, port, iter(_ids(plan, size)))
    arenas.drop(arena)


def _fill(arena: Arena, size: int) -> None:
    with arena.without_indexes():
        arena.execute(ADD_ROWS, row_parameters(size, _FAILED_OF_TEN))
    arena.settle()


def _ids(plan: Plan, size: int) -> Sequence[str]:
    wanted = plan.rounds * (_WARM_UP_RETRIES + plan.growth_retries)
    ids = failed_ids(size, failed_of_ten=_FAILED_OF_TEN, most=wanted)
    assert len(ids) == wanted, f"only {len(ids)} of {size} executions failed"
    return ids
