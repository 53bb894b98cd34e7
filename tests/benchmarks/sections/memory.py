"""Whether the service's memory grows while it works."""

import time

from tests.benchmarks.arena import Arenas
from tests.benchmarks.companion import Companion
from tests.benchmarks.contenders.contender import Heat
from tests.benchmarks.contenders.over_http import service
from tests.benchmarks.failed_rows import failed_ids
from tests.benchmarks.plan import Plan
from tests.benchmarks.progress import tell
from tests.benchmarks.results import MemoryOverTime

_CLIENTS = 16
_SLICE_S = 5.0
_ROWS = 10_000


def measure(arenas: Arenas, plan: Plan, load: Companion) -> MemoryOverTime:
    """One process, as shipped, for `memory_s` seconds of load.

    After each slice of a few seconds the executions have failed again, and new clients retry them.
    """
    tell(f"memory, over {plan.memory_s:.0f} s of load")
    arena = arenas.new()
    contender = service(load, plan.service)
    heat = Heat(clients=_CLIENTS, warm_up_s=0, seconds=_SLICE_S, ids=failed_ids(_ROWS))
    with contender.served(arena) as (server, port):
        samples = [(0.0, server.rss_mib())]
        retries, loaded = 0, 0.0
        while loaded < plan.memory_s:
            arena.reset(_ROWS)
            began = time.perf_counter()
            retries += contender.attack(server, port, heat).retried
            arena.wait_until_relayed()
            loaded += time.perf_counter() - began
            samples.append((loaded, server.rss_mib()))
    arenas.drop(arena)
    return MemoryOverTime(minutes=loaded / 60, retries=retries, samples=samples)
