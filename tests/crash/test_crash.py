"""A short round of the crash test, and two planted bugs; `python -m tests.crash` runs the rest."""

from collections.abc import AsyncIterator

import pytest

from tests.crash.brokers import BROKERS
from tests.crash.campaign import prepared_postgres
from tests.crash.killable_postgres import KillablePostgres
from tests.crash.mutants import MUTANTS
from tests.crash.round import run_round
from tests.crash.scenarios import silence, storm

SEED = "4711"


@pytest.fixture(scope="module")
async def postgres() -> AsyncIterator[KillablePostgres]:
    async with prepared_postgres() as postgres:
        yield postgres


async def test_nobody_hangs_and_nothing_falls_silent(postgres: KillablePostgres) -> None:
    """Connections freeze, logs cannot be written; requests are answered and jobs delivered."""
    outcome = await run_round(silence(4), seed=SEED, new_broker=BROKERS["redis"], postgres=postgres)

    assert outcome.violations == []
    assert outcome.counts["answers 200"] > 0
    assert outcome.counts["frozen connections"] > 0


async def test_what_was_acknowledged_survives_every_death(postgres: KillablePostgres) -> None:
    """API, relays and PostgreSQL are killed at random moments; every promise is kept."""
    outcome = await run_round(
        storm(4), seed=SEED, new_broker=BROKERS["procrastinate"], postgres=postgres
    )

    assert outcome.violations == []
    assert outcome.counts["answers 200"] > 0
    assert outcome.counts["kills api"] + outcome.counts["kills relay"] > 0


@pytest.mark.parametrize(
    ("name", "broker"),
    [
        ("no-message-id", "redis"),
        ("handed-over-after-commit", "procrastinate"),
        ("lost-race-handed-over", "procrastinate"),
        ("function-not-referred-to", "procrastinate"),
    ],
)
async def test_a_planted_bug_is_seen(postgres: KillablePostgres, name: str, broker: str) -> None:
    """The harness can fail."""
    mutant = MUTANTS[name]
    outcome = await run_round(
        mutant.scenario,
        seed=SEED,
        new_broker=BROKERS[broker],
        postgres=postgres,
        mutant=name,
    )

    assert mutant.breaks in {violation.rule for violation in outcome.violations}
