"""Many rounds, and the proof that what is wrong would be seen in them."""

import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Final

from attrs import frozen

from tests.crash.engines import ENGINES
from tests.crash.killable_postgres import KillablePostgres, killable_postgres
from tests.crash.mutants import MUTANTS
from tests.crash.process_slot import prepare_processes
from tests.crash.round import Outcome, play
from tests.crash.scenarios import Scenario, outage, storm

# What a scenario costs beside the time in which clients ask, and how that time is shared.
_OVERHEAD_S: Final = 3.0
_LEAST_S: Final = 2.0
_SHARE_OF_STORM: Final = 0.75
_TOLD_VIOLATIONS: Final = 10


@asynccontextmanager
async def playground() -> AsyncIterator[KillablePostgres]:
    """What all rounds share: a server, and the process that service processes are forked from."""
    async with killable_postgres() as postgres:
        await prepare_processes()
        yield postgres


@frozen(kw_only=True)
class Campaign:
    """Plays on some engines, and tells what came of it."""

    postgres: KillablePostgres
    engines: Sequence[str]
    seed: int
    say: Callable[[str], None]

    async def storm(self, *, rounds: int, seconds: float) -> bool:
        """Whether the service keeps its promises, in rounds of about so many seconds in all."""
        share = seconds / len(self.engines)
        asking = max(_LEAST_S, share - 2 * _OVERHEAD_S)
        scenarios = [storm(asking * _SHARE_OF_STORM), outage(asking * (1 - _SHARE_OF_STORM))]
        return await self._all_hold(scenarios, rounds, None)

    async def mutant(self, name: str, *, rounds: int) -> bool:
        """As `storm`, for a service with a planted bug in the scenario that shows it."""
        return await self._all_hold([MUTANTS[name].scenario], rounds, name)

    async def prove(self, *, rounds: int) -> bool:
        """Whether every planted bug is seen, and the correct code is not blamed for any."""
        proven = True
        for engine, seed in self._turns(rounds):
            for name, mutant in MUTANTS.items():
                planted = await self._play(mutant.scenario, engine, seed, name)
                caught = any(one.rule is mutant.breaks for one in planted.violations)
                if not caught:
                    self.say(f"NOT CAUGHT: {name} on {engine}, seed {seed}")
                correct = await self._play(mutant.scenario, engine, seed, None)
                self._tell(correct)
                proven = proven and caught and not correct.violations
        self.say("every planted bug is seen" if proven else "NOT PROVEN")
        return proven

    async def _all_hold(
        self, scenarios: Sequence[Scenario], rounds: int, mutant: str | None
    ) -> bool:
        violations = 0
        for engine, seed in self._turns(rounds):
            for scenario in scenarios:
                outcome = await self._play(scenario, engine, seed, mutant)
                self._tell(outcome)
                violations += len(outcome.violations)
        self.say(f"{rounds} rounds on {', '.join(self.engines)}: {violations} violations")
        return not violations

    def _turns(self, rounds: int) -> Iterable[tuple[str, int]]:
        """Each engine in turn; a round has a seed of its own, with which it can be repeated."""
        for number in range(rounds):
            for engine in self.engines:
                yield engine, self.seed + number

    async def _play(
        self, scenario: Scenario, engine: str, seed: int, mutant: str | None
    ) -> Outcome:
        began = time.monotonic()
        outcome = await play(
            scenario,
            seed=str(seed),
            new_engine=ENGINES[engine],
            postgres=self.postgres,
            mutant=mutant,
        )
        counts = ", ".join(f"{name} {count}" for name, count in outcome.counts.items() if count)
        played = scenario.name if mutant is None else f"{scenario.name}, with {mutant}"
        took = f"{time.monotonic() - began:.1f} s"
        self.say(f"seed {seed}  {engine}  {played}  {took}: {len(outcome.violations)} violations")
        self.say(f"    {counts}")
        return outcome

    def _tell(self, outcome: Outcome) -> None:
        for violation in outcome.violations[:_TOLD_VIOLATIONS]:
            self.say(f"    VIOLATION {violation}")
        if more := len(outcome.violations[_TOLD_VIOLATIONS:]):
            self.say(f"    … and {more} more")
