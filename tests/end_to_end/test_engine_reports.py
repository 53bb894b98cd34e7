"""The README's `engine.sql`: what engines in any language call."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from attrs import field, frozen
from psycopg.types.json import Jsonb

from tests.support.readme_engines import apply, create_engine_tables

START = "SELECT engine_start(%s)"
COMPLETED = "SELECT engine_completed(%s)"
FAILED = "SELECT engine_failed(%s, 'no such ticket', 'the stack', 2, false)"


@frozen
class Run:
    """A pending execution in its third attempt, and the job of that attempt."""

    database_url: str
    job: dict[str, object] = field(
        factory=lambda: {
            "id": str(uuid4()),
            "tenant": str(uuid4()),
            "execution_id": str(uuid4()),
            "attempt": 3,
        }
    )

    def add(self, extra: str = "") -> None:
        self.value(
            "INSERT INTO automation_executions (tenant, execution_id, automation_rule_id, status,"
            " started_at, actions_total, retry_count) VALUES ((%(j)s->>'tenant')::uuid,"
            " (%(j)s->>'execution_id')::uuid, gen_random_uuid(), 'pending', now(), 4, 3)"
            f" RETURNING 1 {extra}",
            {"j": Jsonb(self.job)},
        )

    def call(self, statement: str, **changes: object) -> object:
        """The result of a call with the job, in which `changes` are made."""
        return self.value(statement, [Jsonb(self.job | changes)])

    def set(self, assignment: str) -> None:
        apply(self.database_url, f"UPDATE automation_executions SET {assignment}")

    def value(
        self, statement: str, parameters: Mapping[str, Any] | Sequence[Any] | None = None
    ) -> object:
        """The only value of the first row, None without one."""
        with psycopg.connect(self.database_url) as connection:
            row = connection.execute(statement.encode(), parameters).fetchone()
        return row[0] if row else None

    def result(self, *columns: str) -> tuple[object, ...]:
        return tuple(self.value(f"SELECT {one} FROM automation_executions") for one in columns)


@pytest.fixture
def run(database_url: str) -> Run:
    create_engine_tables(database_url)
    run = Run(database_url)
    run.add()
    return run


def test_a_start_counts_the_tries(run: Run) -> None:
    """Also of a run that is not known to have ended."""
    tries = [run.call(START) for _ in range(3)]

    assert tries == [1, 2, 3]
    assert run.result("status") == ("running",)


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled", "timeout", "skipped"])
def test_what_has_ended_is_not_started(run: Run, status: str) -> None:
    run.set(f"status = '{status}'")

    assert run.call(START) is None
    assert run.result("status") == (status,)


@pytest.mark.parametrize("attempt", [2, 4])
def test_a_job_of_another_attempt_is_not_started(run: Run, attempt: int) -> None:
    assert run.call(START, attempt=attempt) is None
    assert run.result("status") == ("pending",)


@pytest.mark.parametrize("report", [COMPLETED, FAILED])
@pytest.mark.parametrize("change", ["retry_count = 4", "status = 'cancelled'", "status = 'failed'"])
def test_a_late_result_changes_nothing(run: Run, report: str, change: str) -> None:
    """A failure is fenced like a success, and the job counts as handled."""
    run.call(START)
    run.set(change)
    before = run.result("automation_executions::text")

    run.call(report)

    assert run.result("automation_executions::text") == before
    assert run.value("SELECT reported_at IS NOT NULL FROM engine_jobs") is True


@pytest.mark.parametrize(("first", "second"), [(COMPLETED, FAILED), (FAILED, COMPLETED)])
def test_the_first_of_two_reports_counts(run: Run, first: str, second: str) -> None:
    """Two engines have the job; the second one waits until the first one's is committed."""
    run.call(START)
    with psycopg.connect(run.database_url) as connection, ThreadPoolExecutor(1) as thread:
        connection.execute(first.encode(), [Jsonb(run.job)])
        late = thread.submit(run.call, second)
        connection.commit()
        late.result()

    assert run.result("status") == ("completed" if first is COMPLETED else "failed",)


@pytest.mark.parametrize("report", [COMPLETED, FAILED])
def test_a_job_is_reported_once(run: Run, report: str) -> None:
    """Even if its execution is said to be running again: the id decides."""
    run.call(START)
    run.call(COMPLETED)
    run.set("status = 'running'")

    run.call(report)

    assert run.call(START) is None
    assert run.result("status") == ("running",)


def test_a_failure_has_all_columns(run: Run) -> None:
    run.call(START)
    run.call(FAILED)

    found = run.result(
        *("status", "error_message", "error_stack", "failed_action_index"),
        *("actions_successful", "actions_failed", "completed_at >= started_at"),
    )
    assert found == ("failed", "no such ticket", "the stack", 2, 2, 1, True)


@pytest.mark.parametrize("report", [COMPLETED, FAILED])
def test_a_duration_is_never_negative(run: Run, report: str) -> None:
    """Whoever has written `started_at`, and whatever its clock was."""
    run.call(START)
    run.set("started_at = now() + interval '1 hour'")
    run.call(report)

    assert run.result("duration_ms") == (0.0,)


def test_a_start_sets_the_time_by_postgresql_s_clock(run: Run) -> None:
    """The retry's was the service's, which may be ahead."""
    run.set("started_at = now() + interval '1 hour'")
    run.call(START)

    assert run.result("started_at <= now()") == (True,)


def test_times_without_a_zone_are_utc(run: Run) -> None:
    """As the service reads them, whatever the session's zone is; states may be an enum."""
    apply(
        run.database_url,
        """
        DROP INDEX automation_retry_executions_failed, automation_retry_executions_group;
        CREATE TYPE state AS ENUM ('pending', 'running', 'completed', 'failed');
        ALTER TABLE automation_executions ALTER status TYPE state USING status::state,
            ALTER started_at TYPE timestamp, ALTER completed_at TYPE timestamp,
            ALTER duration_ms TYPE integer;
        """,
    )
    with psycopg.connect(run.database_url) as connection:
        connection.execute("SET LOCAL TimeZone = 'Asia/Tokyo'")
        connection.execute(START, [Jsonb(run.job)])
        connection.execute(COMPLETED, [Jsonb(run.job)])

    found = run.result(
        "status::text",
        "started_at <= now() AT TIME ZONE 'UTC'",
        "completed_at BETWEEN started_at AND now() AT TIME ZONE 'UTC'",
    )
    assert found == ("completed", True, True)


def test_old_jobs_are_forgotten_a_few_at_a_time(run: Run) -> None:
    """By each start; what is younger stays."""
    apply(
        run.database_url,
        """
        INSERT INTO engine_jobs (id, job, tried_at)
        SELECT gen_random_uuid(), '{}', now() - interval '31 days' FROM generate_series(1, 15);
        INSERT INTO engine_jobs (id, job, tried_at)
        SELECT gen_random_uuid(), '{}', now() - interval '29 days'
        """,
    )
    counts = []
    for _ in range(3):
        run.call(START)
        counts.append(run.value("SELECT count(*) FROM engine_jobs"))

    assert counts == [7, 2, 2]
