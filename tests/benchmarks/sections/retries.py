"""Single retries a second, side by side on the same rows."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

from tests.benchmarks.arena import Arena, Arenas
from tests.benchmarks.companion import Companion
from tests.benchmarks.contenders import names, over_http, with_pgbench
from tests.benchmarks.contenders.contender import Contender, Heat, Measured
from tests.benchmarks.contenders.in_process import UseCaseOnPostgres, in_memory, in_the_domain
from tests.benchmarks.failed_rows import failed_ids
from tests.benchmarks.measured import Spread
from tests.benchmarks.plan import Plan
from tests.benchmarks.progress import tell
from tests.benchmarks.results import RetryRate
from tests.benchmarks.same_work import require_same_work

_IN_MEMORY_AT_MOST = 20_000
"""Executions created in advance, for each second."""

_Heats = dict[tuple[str, int], list[Measured]]


def measure(arenas: Arenas, plan: Plan, load: Companion, process: Companion) -> list[RetryRate]:
    """Every contender at every number of clients, in rounds whose order rotates.

    Raises:
        NotTheSameWork: one of them did less than the others, or more.
    """
    contenders: Sequence[Contender] = [
        over_http.service(load, plan.service),
        over_http.flat_script_delivering(load),
        over_http.service_without_delivery(load, plan.service),
        over_http.flat_script(load),
        over_http.service_in_workers(load, plan.service),
        over_http.fastapi_sqlalchemy(load),
        with_pgbench.pgbench_with_the_services_statements(),
        with_pgbench.pgbench_with_a_transaction(),
        UseCaseOnPostgres(process),
    ]
    arena = arenas.new()
    heats: _Heats = defaultdict(list)
    alone = Heat(
        clients=1,
        warm_up_s=plan.warm_up_s,
        seconds=plan.seconds,
        ids=failed_ids(_rows(plan, _IN_MEMORY_AT_MOST)),
    )
    for number in range(plan.rounds):
        first = number % len(contenders)
        for contender in (*contenders[first:], *contenders[:first]):
            tell(f"retries, round {number + 1} of {plan.rounds}: {contender.name}")
            with contender.running(arena) as run:
                for heat, measured in _run(plan, arena, run, contender):
                    heats[contender.name, heat.clients].append(measured)
        heats[names.IN_MEMORY, 1].append(in_memory(process, alone))
        heats[names.DOMAIN, 1].append(in_the_domain(process, alone))
    arenas.drop(arena)
    delivers = {contender.name: contender.delivers for contender in contenders}
    return [
        _rate(name, clients, heats[name, clients], delivers=delivers.get(name, False))
        for name in (*delivers, names.IN_MEMORY, names.DOMAIN)
        for clients in plan.clients
        if (name, clients) in heats
    ]


def _run(
    plan: Plan, arena: Arena, run: Callable[[Heat], Measured], contender: Contender
) -> Iterator[tuple[Heat, Measured]]:
    """A heat for each number of clients, on rows of its own."""
    rows = _rows(plan, contender.at_most)
    arena_rows = rows * len(plan.clients)
    arena.reset(arena_rows)
    retried = 0
    for place, clients in enumerate(plan.clients):
        heat = Heat(
            clients=clients,
            warm_up_s=plan.warm_up_s,
            seconds=plan.seconds,
            ids=failed_ids(arena_rows)[place * rows : (place + 1) * rows],
            first=place * rows,
            arena_rows=arena_rows,
        )
        measured = run(heat)
        retried += measured.retried
        require_same_work(arena, retried, delivers=contender.delivers)
        yield heat, measured


def _rows(plan: Plan, at_most: int) -> int:
    return math.ceil(max(1.0, plan.warm_up_s + plan.seconds) * at_most)


def _rate(contender: str, clients: int, heats: Sequence[Measured], *, delivers: bool) -> RetryRate:
    return RetryRate(
        contender=contender,
        clients=clients,
        delivers=delivers,
        per_second=Spread(heat.per_second for heat in heats),
        p50_ms=_spread([heat.p50_ms for heat in heats]),
        p99_ms=_spread([heat.p99_ms for heat in heats]),
        cpu_us=_spread([heat.cpu_us for heat in heats]),
    )


def _spread(values: Sequence[float | None]) -> Spread | None:
    known = [value for value in values if value is not None]
    return Spread(known) if known else None
