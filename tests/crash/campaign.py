"""Many rounds, and the proof that the audit sees each planted bug."""

import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Final

from attrs import frozen

from tests.crash.brokers import BROKERS
from tests.crash.killable_postgres import KillablePostgres, killable_postgres
from tests.crash.mutants import MUTANTS
from tests.crash.process_slot import prepare_processes
from tests.crash.round import Outcome, run_round
from tests.crash.scenarios import Scenario, outage, silence, storm

_OVERHEAD_S: Final = 3.0
"""What a scenario takes beside the time in which clients send requests."""
_LEAST_S: Final = 2.0
_SHARE_OF_STORM: Final = 0.45
_SHARE_OF_SILENCE: Final = 0.35
_PRINTED_VIOLATIONS: Final = 10


@asynccontextmanager
async def prepared_postgres() -> AsyncIterator[KillablePostgres]:
    """The server that all rounds share; also prepares the process that they fork services from."""
    async with killable_postgres() as postgres:
        await prepare_processes()
        yield postgres


@frozen(kw_only=True)
class Campaign:
    """Runs rounds with some of the brokers, and prints their outcomes."""

    postgres: KillablePostgres
    brokers: Sequence[str]
    seed: int
    say: Callable[[str], None]

    async def storm(self, *, rounds: int, seconds: float) -> bool:
        """Whether the service keeps its promises; each round takes about `seconds` in all."""
        share = seconds / len(self.brokers)
        load_s = max(_LEAST_S, share - 3 * _OVERHEAD_S)
        scenarios = [
            storm(load_s * _SHARE_OF_STORM),
            silence(load_s * _SHARE_OF_SILENCE),
            outage(load_s * (1 - _SHARE_OF_STORM - _SHARE_OF_SILENCE)),
        ]
        return await self._all_hold(scenarios, rounds, None)

    async def mutant(self, name: str, *, rounds: int) -> bool:
        """As `storm`, for a service with a planted bug in the scenario that shows it."""
        return await self._all_hold([MUTANTS[name].scenario], rounds, name)

    async def prove(self, *, rounds: int) -> bool:
        """Whether every planted bug is seen, and the correct service passes the same scenarios."""
        proven = True
        for broker, seed in self._turns(rounds):
            for name, mutant in MUTANTS.items():
                if broker not in mutant.brokers:
                    continue
                planted = await self._run(mutant.scenario, broker, seed, name)
                caught = any(one.rule is mutant.breaks for one in planted.violations)
                if not caught:
                    self.say(f"NOT CAUGHT: {name} on {broker}, seed {seed}")
                correct = await self._run(mutant.scenario, broker, seed, None)
                self._print_violations(correct)
                proven = proven and caught and not correct.violations
        self.say("every planted bug is seen" if proven else "NOT PROVEN")
        return proven

    async def _all_hold(
        self, scenarios: Sequence[Scenario], rounds: int, mutant: str | None
    ) -> bool:
        violations = 0
        for broker, seed in self._turns(rounds):
            if mutant and broker not in MUTANTS[mutant].brokers:
                continue
            for scenario in scenarios:
                outcome = await self._run(scenario, broker, seed, mutant)
                self._print_violations(outcome)
                violations += len(outcome.violations)
        self.say(f"{rounds} rounds on {', '.join(self.brokers)}: {violations} violations")
        return not violations

    def _turns(self, rounds: int) -> Iterable[tuple[str, int]]:
        """Each broker in turn, with the seed of the round, by which it can be repeated."""
        for number in range(rounds):
            for broker in self.brokers:
                yield broker, self.seed + number

    async def _run(self, scenario: Scenario, broker: str, seed: int, mutant: str | None) -> Outcome:
        began = time.monotonic()
        outcome = await run_round(
            scenario,
            seed=str(seed),
            new_broker=BROKERS[broker],
            postgres=self.postgres,
            mutant=mutant,
        )
        counts = ", ".join(f"{name} {count}" for name, count in outcome.counts.items() if count)
        name = scenario.name if mutant is None else f"{scenario.name}, with {mutant}"
        took = f"{time.monotonic() - began:.1f} s"
        self.say(f"seed {seed}  {broker}  {name}  {took}: {len(outcome.violations)} violations")
        self.say(f"    {counts}")
        return outcome

    def _print_violations(self, outcome: Outcome) -> None:
        for violation in outcome.violations[:_PRINTED_VIOLATIONS]:
            self.say(f"    VIOLATION {violation}")
        if more := len(outcome.violations[_PRINTED_VIOLATIONS:]):
            self.say(f"    … and {more} more")
