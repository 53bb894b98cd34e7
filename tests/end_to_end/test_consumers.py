"""The README's engines do what it says of them, with each broker."""

import asyncio
import signal
from collections.abc import AsyncIterator

import pytest

from automation_retry.domain import ExecutionStatus
from tests.adapters.procrastinate.queues import until_empty
from tests.support.factories import a_failed_execution, a_job
from tests.support.readme_engines import (
    BROKERS,
    WINDOW_S,
    Engines,
    apply,
    create_engine_tables,
    engines,
)
from tests.test_readme import code

RESCUED_EVERY_S = 10
"""By the README's engine for Procrastinate."""


@pytest.fixture(params=BROKERS)
async def engine(request: pytest.FixtureRequest, database_url: str) -> AsyncIterator[Engines]:
    create_engine_tables(database_url)
    async with engines(str(request.param), database_url) as beside_service:
        yield beside_service


async def test_an_engine_completes_what_was_retried(engine: Engines) -> None:
    """From the call over the outbox and the broker to the result in the table."""
    with engine.running():
        completed = await engine.when(await engine.retried(), ExecutionStatus.COMPLETED)

    assert completed.retry_count == 1
    assert completed.actions_successful == completed.actions_total
    assert completed.duration_ms is not None


async def test_an_engine_reports_once_and_only_for_its_attempt(engine: Engines) -> None:
    """A job that comes twice is handled once; one of an old attempt changes nothing."""
    tenant = engine.world.tenant
    first, fenced, last = [
        await engine.world.add(
            a_failed_execution(
                tenant=tenant,
                status=ExecutionStatus.PENDING,
                completed_at=None,
                actions_successful=0,
                actions_failed=0,
                retry_count=2,
            )
        )
        for _ in range(3)
    ]
    job, old, after = [
        a_job(tenant=tenant, execution_id=one.execution_id, attempt=attempt)
        for one, attempt in ((first, 2), (fenced, 1), (last, 2))
    ]
    with engine.running():
        await engine.send(job)
        completed = await engine.when(first, ExecutionStatus.COMPLETED)
        await engine.send(job)
        await engine.send(old)
        await engine.send(after)
        await engine.when(last, ExecutionStatus.COMPLETED)

    executions = engine.world.storage.executions
    reported = engine.rows("SELECT id FROM engine_jobs WHERE reported_at IS NOT NULL")
    assert await executions.get(tenant, first.execution_id) == completed
    assert await executions.get(tenant, fenced.execution_id) == fenced
    assert {row["id"] for row in reported} == {job.id, after.id}


async def test_an_engine_reports_that_an_action_failed(engine: Engines) -> None:
    """At once, and the execution can be retried again."""
    with engine.running('    raise ActionFailed("no such ticket\\0", 2)\n'):
        failed = await engine.when(await engine.retried(), ExecutionStatus.FAILED)
        again = await engine.world.retry(failed.execution_id, await engine.world.key())

    assert failed.error_message == "no such ticket?"
    assert failed.error_stack is not None
    assert "ActionFailed" in failed.error_stack
    assert (failed.failed_action_index, failed.actions_successful, failed.actions_failed) == (
        2,
        2,
        1,
    )
    assert failed.completed_at is not None
    assert failed.duration_ms is not None
    assert engine.rows("SELECT FROM engine_jobs WHERE set_aside OR tries > 1") == []
    assert again.json()["data"]["retry_count"] == 2


async def test_a_poison_job_is_set_aside_with_a_result(engine: Engines) -> None:
    """After so many tries; it is kept, and others go on."""
    poison = await engine.retried(actions_total=7)
    raises = (
        '    if os.path.exists(os.environ["FOLDER"] + "/broken"): raise ValueError("a tenant\'s")\n'
    )
    (engine.folder / "broken").touch()
    with engine.running(raises) as process:
        set_aside = await engine.when(poison, ExecutionStatus.FAILED)
        (engine.folder / "broken").unlink()
        await engine.when(await engine.retried(), ExecutionStatus.COMPLETED)
        process.end(signal.SIGTERM)

    [kept] = engine.rows("SELECT job, tries FROM engine_jobs WHERE set_aside")
    assert set_aside.error_message == "Set aside after 2 tries: ValueError"
    assert (set_aside.actions_successful, set_aside.actions_failed) == (0, 0)
    assert set_aside.failed_action_index is None
    assert kept["job"]["execution_id"] == str(poison.execution_id)
    assert kept["tries"] == 2


async def test_a_job_that_kills_its_engine_is_set_aside(engine: Engines) -> None:
    """A try counts before the work, so nothing runs without end."""
    execution = await engine.retried()
    for _ in range(2):
        with engine.running("    os._exit(1)\n") as process:
            await asyncio.to_thread(process.process.wait)
    with engine.running():
        failed = await engine.when(execution, ExecutionStatus.FAILED)

    assert failed.error_message == "Set aside after 2 tries: EngineDied"


async def test_a_job_is_its_engine_s_as_long_as_it_works(engine: Engines) -> None:
    """Longer than the window after which it would be delivered again, and than the rescue."""
    longer_s = 3 * WINDOW_S if engine.kind != "procrastinate" else RESCUED_EVERY_S + WINDOW_S
    works = f"""\
    with Path(os.environ["FOLDER"], "runs").open("a") as runs:
        runs.write("run ")
    await asyncio.sleep({longer_s})
"""
    with engine.running(works), engine.running(works):
        await engine.when(await engine.retried(), ExecutionStatus.COMPLETED)

    assert engine.written("runs") == "run "


async def test_another_engine_runs_what_a_killed_one_had_begun(engine: Engines) -> None:
    """Once its window is over; the result is that of the second run."""
    hangs = (
        '    Path(os.environ["FOLDER"], "begun").write_text("yes")\n    await asyncio.sleep(600)\n'
    )
    execution = await engine.retried()
    with engine.running(hangs) as killed:
        await engine.when_written("begun")
        begun = await engine.when(execution, ExecutionStatus.RUNNING)
        killed.end(signal.SIGKILL)
    with engine.running():
        completed = await engine.when(execution, ExecutionStatus.COMPLETED)

    assert begun.started_at is not None
    assert completed.started_at is not None
    assert completed.started_at > begun.started_at
    assert engine.rows("SELECT tries FROM engine_jobs") == [{"tries": 2}]


async def test_a_stop_lets_an_engine_finish_its_job(engine: Engines) -> None:
    works = (
        '    Path(os.environ["FOLDER"], "begun").write_text("yes")\n    await asyncio.sleep(1)\n'
    )
    execution = await engine.retried()
    with engine.running(works) as process:
        await engine.when_written("begun")
        status = await asyncio.to_thread(process.end, signal.SIGTERM)

    ended = await engine.world.storage.executions.get(execution.tenant, execution.execution_id)
    assert status == 0
    assert ended.status is ExecutionStatus.COMPLETED


async def test_a_result_of_a_run_that_others_ended_is_dropped(engine: Engines) -> None:
    """Even where the execution was retried meanwhile: the new run's result is the one stored."""
    works = """\
    Path(os.environ["FOLDER"], "begun").write_text("yes")
    while job["attempt"] == 1 and not Path(os.environ["FOLDER"], "go").exists():
        await asyncio.sleep(0.05)
    if job["attempt"] == 1:
        raise ActionFailed("late", 0)
"""
    execution = await engine.retried()
    with engine.running(works):
        await engine.when_written("begun")
        running = await engine.when(execution, ExecutionStatus.RUNNING)
        refused = await engine.world.retry(running.execution_id, await engine.world.key())
        apply(engine.database_url, "UPDATE automation_executions SET status = 'failed'")
        await engine.world.retry(execution.execution_id, await engine.world.key())
        (engine.folder / "go").touch()
        completed = await engine.when(execution, ExecutionStatus.COMPLETED)

    assert refused.status_code == 400
    assert (completed.retry_count, completed.error_message) == (2, None)


@pytest.mark.parametrize("engine", ["procrastinate"], indirect=True)
async def test_finished_jobs_are_removed_from_procrastinate(engine: Engines) -> None:
    """With what Procrastinate notes about them."""
    with engine.running() as process:
        await engine.when(await engine.retried(), ExecutionStatus.COMPLETED)
        await asyncio.to_thread(process.end, signal.SIGTERM)

    jobs = engine.rows(
        "SELECT FROM procrastinate_jobs WHERE task_name = 'automation.execute_execution'"
    )
    assert jobs == []


@pytest.mark.parametrize("engine", ["procrastinate"], indirect=True)
async def test_a_new_execution_runs_its_first_attempt(engine: Engines) -> None:
    """By the README's INSERT and job, without a call of this service."""
    apply(engine.database_url, code("sql", "-- a new execution"))
    [new] = engine.rows("SELECT tenant, execution_id FROM automation_executions")
    executions = engine.world.storage.executions
    pending = await executions.get(new["tenant"], new["execution_id"])
    with engine.running():
        completed = await engine.when(pending, ExecutionStatus.COMPLETED)

    assert pending.status is ExecutionStatus.PENDING
    assert completed.retry_count == 0


@pytest.mark.parametrize(("events", "sent"), [("the same broker", 1), ("none", 0)])
@pytest.mark.parametrize("kind", BROKERS)
async def test_jobs_are_carried_with_and_without_events(
    kind: str, events: str, sent: int, database_url: str
) -> None:
    """With the event bus `none`, no event is left in any place."""
    create_engine_tables(database_url)
    bus = {"AUTOMATION_RETRY_EVENT_BUS": "none" if events == "none" else kind}
    async with engines(kind, database_url, settings=bus) as engine:
        with engine.running():
            completed = await engine.when(await engine.retried(), ExecutionStatus.COMPLETED)
        await until_empty(database_url)
        found = await engine.events()

    assert completed.retry_count == 1
    assert found == sent
