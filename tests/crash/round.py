"""One round: a new database and broker, clients and faults for a while, then the audit."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import psycopg
from attrs import frozen

from automation_retry.entrypoints.lifecycle import open_container
from automation_retry.entrypoints.settings import read_settings
from tests.crash import evidence
from tests.crash.audit import Violation, audit
from tests.crash.broker_under_test import NewBroker, RoundDatabase
from tests.crash.killable_postgres import KillablePostgres
from tests.crash.mutants import MUTANTS, NO_BUG
from tests.crash.participants import LATE_COMMITS, Participants
from tests.crash.population import populate
from tests.crash.records import Canary, Evidence
from tests.crash.scenarios import Scenario
from tests.support.freezing_proxy import FreezingProxy, freezing_proxy

_SERVICE: Final = {
    "AUTOMATION_RETRY_RELAY": "false",
    # The server keeps connections that froze for a while, beside those that took their place.
    "AUTOMATION_RETRY_POOL_MAX_SIZE": "5",
    "AUTOMATION_RETRY_POOL_TIMEOUT_MS": "2000",
    "AUTOMATION_RETRY_REQUEST_TIMEOUT_MS": "2000",
    "AUTOMATION_RETRY_LOG_FORMAT": "json",
    "AUTOMATION_RETRY_LOG_LEVEL": "info",
}


@frozen(kw_only=True)
class Outcome:
    """The counts of a round, and the violations that were found."""

    counts: Counter[str]
    violations: Sequence[Violation]


@asynccontextmanager
async def _proxy(url: str, scenario: Scenario) -> AsyncIterator[FreezingProxy | None]:
    if not scenario.freezes:
        yield None
        return
    async with freezing_proxy(url) as proxy:
        yield proxy


async def run_round(
    scenario: Scenario,
    *,
    seed: str,
    new_broker: NewBroker,
    postgres: KillablePostgres,
    mutant: str | None = None,
) -> Outcome:
    """Runs a scenario once, in a database and with a broker of its own."""
    bug = MUTANTS[mutant].bug if mutant else NO_BUG
    url = await postgres.new_database()
    try:
        async with await psycopg.AsyncConnection.connect(url) as connection:
            await connection.execute(bug.prepare)
            if scenario.late_commits:
                await connection.execute(LATE_COMMITS)
        async with new_broker() as broker, _proxy(url, scenario) as proxy:
            way = proxy.url if proxy else url
            variables = {"DATABASE_URL": way, **_SERVICE, **broker.variables}
            direct = variables | {"DATABASE_URL": url}
            async with open_container(read_settings(direct)) as container:
                population = await populate(container.storage(), scenario.executions)
            canary_before = await evidence.rows_of(url, population.canary)
            participants = Participants(
                scenario=scenario,
                seed=seed,
                mutant=mutant,
                broker=broker,
                postgres=postgres,
                database=RoundDatabase(url=url, up=postgres.up),
                variables=variables,
                population=population,
                proxy=proxy,
            )
            await participants.run()
        found = Evidence(
            answers=participants.clients.answers,
            deliveries=participants.log.deliveries,
            archived=await evidence.archived_attempts(url),
            executions=await evidence.stored_executions(url),
            outbox=await evidence.outbox_messages(url),
            users=population.users,
            canary=Canary(
                tenant=population.canary,
                before=canary_before,
                after=await evidence.rows_of(url, population.canary),
            ),
            endings=participants.endings,
            settled=participants.settled,
        )
        return Outcome(counts=participants.counts(), violations=audit(found))
    finally:
        await postgres.start()
        await postgres.drop(url)
