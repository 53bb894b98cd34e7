"""The service answers thousands of generated requests as its OpenAPI document says.

The seed is fixed, so that a run fails because of a change and not by chance; new requests come with
`pytest tests/fuzz --fuzz-seed=random`, which names the seed it took when it fails.
"""

import random

import psycopg
import pytest
from attrs import frozen

from tests.fuzz.campaign import Campaign, fuzz, serving
from tests.fuzz.population import populate
from tests.support.postgres_server import PostgresServer, private_folder

pytestmark = pytest.mark.timeout(1000)  # the first test waits for the whole campaign

RETRY = "POST /api/v1/automation/executions/{execution_id}/retry"
BULK_RETRY = "POST /api/v1/automation/executions/bulk-retry"
READ = "GET /api/v1/automation/executions/{execution_id}"
LIST = "GET /api/v1/automation/executions"
GROUPS = "GET /api/v1/automation/failure-groups"
ME = "GET /api/v1/automation/me"
ATTEMPTS = "GET /api/v1/automation/executions/{execution_id}/attempts"

_STORED = """
SELECT (SELECT count(*) FROM automation_failed_attempts),
       (SELECT count(DISTINCT (args ->> 'execution_id', args ->> 'attempt'))
        FROM procrastinate_jobs WHERE task_name = 'automation.execute_execution'),
       (SELECT count(*) FROM procrastinate_jobs
        WHERE task_name = 'automation.execute_execution'),
       (SELECT count(*) FROM procrastinate_jobs
        WHERE task_name = 'automation.execution.retried'),
       (SELECT count(*) FROM automation_outbox)
"""


@frozen(kw_only=True)
class Stored:
    """How many of each there are in the database."""

    attempts: int
    distinct_jobs: int
    jobs: int
    events: int
    waiting: int

    @classmethod
    def read(cls, database_url: str) -> "Stored":
        with psycopg.connect(database_url) as connection:
            row = connection.execute(_STORED).fetchone()
        assert row is not None
        attempts, distinct_jobs, jobs, events, waiting = row
        return cls(
            attempts=attempts,
            distinct_jobs=distinct_jobs,
            jobs=jobs,
            events=events,
            waiting=waiting,
        )


@frozen(kw_only=True)
class Fuzzed:
    """A campaign, and the database before and after it."""

    campaign: Campaign
    before: Stored
    after: Stored


@pytest.fixture(scope="module")
async def fuzzed(postgres_server: PostgresServer, request: pytest.FixtureRequest) -> Fuzzed:
    database_url = postgres_server.new_database("migrated")
    seed = request.config.getoption("--fuzz-seed")
    if seed == "random":
        seed = str(random.randrange(2**32))
    population = await populate(database_url)
    before = Stored.read(database_url)
    with private_folder() as folder, serving(database_url, folder) as service:
        campaign = fuzz(service, population, folder, seed)
    return Fuzzed(campaign=campaign, before=before, after=Stored.read(database_url))


def test_every_answer_is_as_documented(fuzzed: Fuzzed) -> None:
    """No check fails, nothing goes wrong, and Schemathesis warns of nothing."""
    reports = [run.report for run in fuzzed.campaign.runs]

    assert [report["failures"] for report in reports] == [[], []], fuzzed.campaign.printed
    assert [report["errors"] for report in reports] == [[], []], fuzzed.campaign.printed
    assert [report["exit_code"] for report in reports] == [0, 0], fuzzed.campaign.printed


def test_at_least_five_thousand_cases_ran(fuzzed: Fuzzed) -> None:
    reports = [run.report for run in fuzzed.campaign.runs]

    assert all(report["complete"] for report in reports), fuzzed.campaign.printed
    assert sum(report["test_cases"]["generated"] for report in reports) >= 5000
    assert len(fuzzed.campaign.answers) >= 5000


def test_no_phase_ended_early(fuzzed: Fuzzed) -> None:
    """As Hypothesis does, without a failure, where values depend on what happened before."""
    phases = fuzzed.campaign.counts("phase")

    for operation in (RETRY, BULK_RETRY, READ, ATTEMPTS, LIST, GROUPS):
        assert phases[operation]["examples"] >= 1
        assert phases[operation]["coverage"] >= 20
        assert phases[operation]["fuzzing"] >= 700
    for operation in (RETRY, READ, ATTEMPTS):  # no link leads to the bulk retry
        assert phases[operation]["stateful"] >= 100


def test_every_documented_success_was_reached(fuzzed: Fuzzed) -> None:
    documented = {
        (f"{method.upper()} {path}", int(status))
        for path, operations in fuzzed.campaign.document["paths"].items()
        for method, operation in operations.items()
        for status in operation["responses"]
        if status.startswith("2")
    }
    reached = fuzzed.campaign.counts("status")

    assert documented
    assert {(label, status) for label, status in documented if not reached[label][status]} == set()


def test_refusals_that_depend_on_keys_and_executions_were_reached(fuzzed: Fuzzed) -> None:
    """More than once each: the requests did not stop at the first check."""
    statuses = fuzzed.campaign.counts("status")
    often = {
        label: {status for status, times in counts.items() if times >= 10}
        for label, counts in statuses.items()
    }
    replays = [answer for answer in fuzzed.campaign.answers if answer["replayed"]]

    assert often[RETRY] >= {200, 400, 401, 403, 404, 422}
    assert often[BULK_RETRY] >= {200, 400, 401, 403}
    assert often[READ] >= {200, 400, 401, 404}
    assert often[ATTEMPTS] >= {200, 400, 401, 404}
    assert often[LIST] >= {200, 400, 401}
    assert often[GROUPS] >= {200, 400, 401}
    assert often[ME] >= {200, 401}
    assert len(replays) >= 10


def test_the_service_met_nothing_unexpected(fuzzed: Fuzzed) -> None:
    """Its log has no error, no traceback and no 5xx."""
    log = fuzzed.campaign.log

    assert [line for line in log if line["level"] in {"error", "critical"}] == []
    assert [line for line in log if "traceback" in line] == []
    assert [line for line in log if line.get("status", 0) >= 500] == []


def test_the_log_has_every_retry_that_was_answered(fuzzed: Fuzzed) -> None:
    """And no other: no request without a key was accepted behind the back of the record."""
    route = RETRY.removeprefix("POST ")
    logged = [line for line in fuzzed.campaign.log if line.get("route") == route]
    answered = fuzzed.campaign.counts("status")[RETRY][200]

    assert sum(line["status"] == 200 for line in logged) == answered


def test_nothing_was_lost_and_nothing_doubled(fuzzed: Fuzzed) -> None:
    """One archived attempt, one job and one event for each retry that was answered 200."""
    retries = fuzzed.campaign.retries()

    assert retries >= 100
    assert fuzzed.after.attempts - fuzzed.before.attempts == retries
    assert fuzzed.after.jobs == fuzzed.after.distinct_jobs == retries
    assert fuzzed.after.events == retries
    assert fuzzed.after.waiting == 0
