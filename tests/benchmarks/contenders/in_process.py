from collections.abc import Callable, Iterator
from contextlib import contextmanager

from attrs import frozen

from tests.benchmarks.arena import Arena
from tests.benchmarks.companion import Companion
from tests.benchmarks.contenders import names
from tests.benchmarks.contenders.contender import Contender, Heat, Measured
from tests.benchmarks.contenders.use_case import DOMAIN, MEMORY


def _ask(process: Companion, url: str, heat: Heat) -> Measured:
    question = {
        "url": url,
        "ids": heat.ids,
        "clients": heat.clients,
        "warm_up_s": heat.warm_up_s,
        "seconds": heat.seconds,
    }
    return Measured(**process.ask(question))


@frozen
class UseCaseOnPostgres(Contender):
    """One task for each client calls the use case, without delivery."""

    name = names.ON_POSTGRESQL
    process: Companion
    delivers = False
    at_most = 5_000

    @contextmanager
    def running(self, arena: Arena) -> Iterator[Callable[[Heat], Measured]]:
        yield lambda heat: _ask(self.process, arena.url, heat)


def in_memory(process: Companion, heat: Heat) -> Measured:
    """The use case on the memory adapters."""
    return _ask(process, MEMORY, heat)


def in_the_domain(process: Companion, heat: Heat) -> Measured:
    """`Execution.retry` alone, with a clock."""
    return _ask(process, DOMAIN, heat)
