"""The limit: pgbench runs the statements alone, prepared, over as many connections as clients."""

import asyncio
import math
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from attrs import frozen

from tests.benchmarks.arena import Arena
from tests.benchmarks.contenders import names
from tests.benchmarks.contenders.contender import Contender, Heat, Measured
from tests.benchmarks.contenders.pgbench_script import OneRetry, make_one_retry
from tests.support.postgres_server import private_folder

_RETRIED: Final = re.compile(r"number of transactions actually processed: (\d+)")
_FAILED: Final = re.compile(r"number of failed transactions: (\d+)")
_PER_SECOND: Final = re.compile(r"tps = ([\d.]+) \(without initial connection time\)")
_THREADS: Final = 2


class PgbenchFailed(Exception):
    """The message is its output."""


@frozen
class WithPgbench(Contender):
    """Runs for whole seconds, and without a warm-up, which pgbench does not have."""

    name: str
    write_script: Callable[[OneRetry], str]
    delivers = False
    at_most = 15_000

    @contextmanager
    def running(self, arena: Arena) -> Iterator[Callable[[Heat], Measured]]:
        arena.reset(1)
        one_retry = asyncio.run(make_one_retry(arena))
        with private_folder() as folder:
            script = folder / "retry.sql"
            script.write_text(self.write_script(one_retry))
            yield lambda heat: self._run(arena, script, heat)

    def _run(self, arena: Arena, script: Path, heat: Heat) -> Measured:
        ran = subprocess.run(
            [
                *(arena.bin_dir / "pgbench", "--no-vacuum", "--protocol=prepared"),
                *(f"--file={script}", f"--time={math.ceil(heat.seconds)}"),
                *(f"--client={heat.clients}", f"--jobs={min(heat.clients, _THREADS)}"),
                *(f"--define=clients={heat.clients}", f"--define=rows={heat.arena_rows}"),
                *(f"--define=first={heat.first}", "--define=taken=0", arena.url),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        retried, per_second = _RETRIED.search(ran.stdout), _PER_SECOND.search(ran.stdout)
        failed = _FAILED.search(ran.stdout)
        if ran.returncode or not (retried and per_second) or (failed and failed[1] != "0"):
            raise PgbenchFailed(ran.stdout + ran.stderr)
        return Measured(retried=int(retried[1]), per_second=float(per_second[1]))


def pgbench_with_the_services_statements() -> WithPgbench:
    return WithPgbench(names.STATEMENTS, OneRetry.as_service)


def pgbench_with_a_transaction() -> WithPgbench:
    return WithPgbench(names.TRANSACTION, OneRetry.as_transaction)
