"""One round: a fresh database and engine, clients and faults for a while, then the audit."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

import psycopg
from attrs import frozen

from automation_retry.entrypoints.lifecycle import open_container
from automation_retry.entrypoints.settings import read_settings
from tests.crash import evidence
from tests.crash.audit import Violation, audit
from tests.crash.engine_under_test import NewEngine, Storage
from tests.crash.killable_postgres import KillablePostgres
from tests.crash.mutants import MUTANTS, NO_BUG
from tests.crash.population import populate
from tests.crash.records import Canary, Evidence
from tests.crash.scenarios import Scenario
from tests.crash.stage import LATE_COMMITS, Stage

_SERVICE: Final = {
    "AUTOMATION_RETRY_RELAY": "false",
    "AUTOMATION_RETRY_POOL_TIMEOUT_MS": "2000",
    "AUTOMATION_RETRY_LOG_FORMAT": "json",
    "AUTOMATION_RETRY_LOG_LEVEL": "info",
}


@frozen(kw_only=True)
class Outcome:
    """What a round counted, and what was wrong."""

    counts: Counter[str]
    violations: Sequence[Violation]


async def play(
    scenario: Scenario,
    *,
    seed: str,
    new_engine: NewEngine,
    postgres: KillablePostgres,
    mutant: str | None = None,
) -> Outcome:
    """Plays a scenario once, in a database and on an engine of its own."""
    bug = MUTANTS[mutant].bug if mutant else NO_BUG
    url = await postgres.new_database()
    try:
        async with await psycopg.AsyncConnection.connect(url) as connection:
            await connection.execute(bug.prepare)
            if scenario.late_commits:
                await connection.execute(LATE_COMMITS)
        async with new_engine() as engine:
            variables = {"DATABASE_URL": url, **_SERVICE, **engine.variables}
            async with open_container(read_settings(variables)) as container:
                population = await populate(container, scenario.executions)
            canary_before = await evidence.rows_of(url, population.canary)
            stage = Stage(
                scenario=scenario,
                seed=seed,
                mutant=mutant,
                engine=engine,
                postgres=postgres,
                storage=Storage(url=url, up=postgres.up),
                variables=variables,
                population=population,
            )
            await stage.play()
        found = Evidence(
            answers=stage.clients.answers,
            deliveries=stage.log.deliveries,
            archived=await evidence.archived_attempts(url),
            executions=await evidence.stored_executions(url),
            outbox=await evidence.outbox_messages(url),
            users=population.users,
            canary=Canary(
                tenant=population.canary,
                before=canary_before,
                after=await evidence.rows_of(url, population.canary),
            ),
            endings=stage.endings,
        )
        return Outcome(counts=stage.counts(), violations=audit(found))
    finally:
        await postgres.start()
        await postgres.drop(url)
