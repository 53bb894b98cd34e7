"""Commits that hand jobs and events over to Procrastinate by themselves."""

import asyncio
from typing import Any

import procrastinate
import psycopg
import pytest

from automation_retry.adapters.procrastinate.broker import procrastinate_broker
from automation_retry.adapters.procrastinate.destinations import JOB_QUEUE, JOB_TASK
from automation_retry.adapters.wire.messages import event_message, job_message
from automation_retry.application import MessageKind
from tests.adapters.procrastinate.queues import (
    EVENT,
    JOB,
    jobs,
    outbox,
    retry,
    rows,
    serving,
    until_empty,
)
from tests.support.factories import a_failed_execution, a_job, an_event
from tests.support.without_delivery import WITHOUT_DELIVERY

LISTENERS = "SELECT pid FROM pg_stat_activity WHERE query ILIKE 'listen%'"
COLUMNS = (
    "queue_name, task_name, priority, lock, queueing_lock, status, scheduled_at, attempts,"
    " abort_requested, worker_id"
)


async def test_both_are_in_the_queue_when_the_answer_arrives(database_url: str) -> None:
    """No relay, no outbox, no delay."""
    async with serving(database_url) as world:
        failed = await world.add(a_failed_execution(tenant=world.tenant))
        await retry(world, failed, await world.key())

        assert outbox(database_url) == []
        assert sorted(jobs(database_url)) == [(JOB, 1), (EVENT, 1)]


async def test_the_channels_name_the_queues(database_url: str) -> None:
    """What the documentation says is where messages are; the task is named too."""
    async with serving(database_url) as world:
        failed = await world.add(a_failed_execution(tenant=world.tenant))
        await retry(world, failed, await world.key())
        channels = world.container.brokers().channels

    found = rows(database_url, "SELECT queue_name, task_name FROM procrastinate_jobs ORDER BY id")
    for channel, row in zip(channels.values(), found, strict=True):
        assert channel.address == row["queue_name"]
        assert f"`{row['task_name']}`" in channel.meaning


async def test_a_job_is_what_procrastinate_itself_would_defer(database_url: str) -> None:
    """Every column, and the same arguments as those that the relay sends."""
    async with serving(database_url) as world:
        failed = await world.add(a_failed_execution(tenant=world.tenant))
        await retry(world, failed, await world.key())
        handed_over = rows(database_url, f"SELECT {COLUMNS} FROM procrastinate_jobs ORDER BY id")
        bodies = [row["args"] for row in rows(database_url, "SELECT args FROM procrastinate_jobs")]
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute("DELETE FROM procrastinate_jobs")
        broker = procrastinate_broker(world.storage).broker
        for message in (job_message(a_job()), event_message(an_event())):
            await broker.send([message])

    deferred = rows(database_url, f"SELECT {COLUMNS} FROM procrastinate_jobs ORDER BY id")
    relayed = [row["args"] for row in rows(database_url, "SELECT args FROM procrastinate_jobs")]
    assert sorted(map(str, handed_over)) == sorted(map(str, deferred))
    assert {frozenset(body) for body in bodies} == {frozenset(body) for body in relayed}


COMBINATIONS = [
    ("procrastinate", "none", [], [(JOB, 1)]),
    ("procrastinate", "redis", [("event", 1)], [(JOB, 1)]),
    ("redis", "procrastinate", [("job", 1)], [(EVENT, 1)]),
    ("redis", "redis", [("job", 1), ("event", 1)], []),
    ("redis", "none", [("job", 1)], []),
]


@pytest.mark.parametrize(("queue", "bus", "waiting", "handed_over"), COMBINATIONS)
async def test_jobs_and_events_go_different_ways(
    database_url: str,
    queue: str,
    bus: str,
    waiting: list[tuple[str, int]],
    handed_over: list[tuple[str, int]],
) -> None:
    """Each kind to its own broker, or events to none."""
    chosen = {"AUTOMATION_RETRY_JOB_QUEUE": queue, "AUTOMATION_RETRY_EVENT_BUS": bus}
    async with serving(database_url, **(dict(WITHOUT_DELIVERY) | chosen)) as world:
        failed = await world.add(a_failed_execution(tenant=world.tenant))
        await retry(world, failed, await world.key())

    assert outbox(database_url) == waiting
    assert jobs(database_url) == handed_over


async def test_events_to_none_are_not_written_in_memory_either() -> None:
    """Nobody would ever take them out."""
    async with serving("memory:", AUTOMATION_RETRY_EVENT_BUS="none") as world:
        failed = await world.add(a_failed_execution(tenant=world.tenant))
        await retry(world, failed, await world.key())

        assert [len(await world.sent(kind)) for kind in MessageKind] == [1, 0]


async def test_events_that_wait_for_another_broker_are_dropped_by_none(database_url: str) -> None:
    """The relay of the new choice removes them."""
    async with serving(database_url, **WITHOUT_DELIVERY) as world:
        failed = await world.add(a_failed_execution(tenant=world.tenant))
        await retry(world, failed, await world.key())
    relaying = {"AUTOMATION_RETRY_EVENT_BUS": "none", "AUTOMATION_RETRY_RELAY": "true"}
    async with serving(database_url, **relaying):
        await until_empty(database_url)

    assert jobs(database_url) == [(JOB, 1)]


async def test_a_waiting_worker_is_woken(database_url: str) -> None:
    """The function notifies; the worker need not poll."""
    received = asyncio.Event()
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=database_url))

    @app.task(name=JOB_TASK, queue=JOB_QUEUE)
    async def execute(**_: Any) -> None:
        received.set()

    async with app.open_async(), serving(database_url) as world:
        worker = asyncio.create_task(
            app.run_worker_async(
                queues=[JOB_QUEUE], fetch_job_polling_interval=3600, install_signal_handlers=False
            )
        )
        failed = await world.add(a_failed_execution(tenant=world.tenant))
        key = await world.key()
        async with asyncio.timeout(30):
            while not rows(database_url, LISTENERS):  # noqa: ASYNC110 - in another process
                await asyncio.sleep(0.05)
        await retry(world, failed, key)
        async with asyncio.timeout(30):
            await received.wait()
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)


DISCARD = """
CREATE FUNCTION theirs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.queue_name = 'automation.executions' THEN RETURN NULL; END IF;
    RETURN NEW;
END;
$$;
CREATE TRIGGER theirs BEFORE INSERT ON procrastinate_jobs
FOR EACH ROW EXECUTE FUNCTION theirs()
"""


async def test_a_message_that_a_trigger_discards_is_not_lost(database_url: str) -> None:
    """503, and nothing is written: a 200 would promise a job that nobody gets."""
    async with serving(database_url) as world:
        failed = [await world.add(a_failed_execution(tenant=world.tenant)) for _ in range(4)]
        key = await world.key()
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute(DISCARD)
            refused = await asyncio.gather(*[world.retry(one.execution_id, key) for one in failed])
            left = jobs(database_url), rows(database_url, "SELECT FROM automation_failed_attempts")
            connection.execute("DROP TRIGGER theirs ON procrastinate_jobs")
        for one in failed:
            await retry(world, one, key)

    assert [answer.status_code for answer in refused] == [503] * 4
    assert left == ([], [])
    assert sorted(jobs(database_url)) == 4 * [(JOB, 1)] + 4 * [(EVENT, 1)]


@pytest.mark.parametrize(
    ("broken", "mended", "problem"),
    [
        (
            "ALTER FUNCTION procrastinate_defer_jobs_v1 RENAME TO gone",
            "ALTER FUNCTION gone RENAME TO procrastinate_defer_jobs_v1",
            "older than Procrastinate",
        ),
        (
            "ALTER TABLE procrastinate_jobs RENAME TO gone",
            "ALTER TABLE gone RENAME TO procrastinate_jobs",
            "procrastinate_jobs is missing although other parts of it exist",
        ),
        (
            "CREATE UNIQUE INDEX one_only ON procrastinate_jobs (priority)",
            "DROP INDEX one_only",
            "",  # nothing that could be known in advance
        ),
    ],
)
async def test_what_stops_the_function_stops_the_retry(
    database_url: str, broken: str, mended: str, problem: str
) -> None:
    """503, nothing is written, and readiness says why; it works again once that is mended."""
    async with serving(database_url) as world:
        failed = await world.add(a_failed_execution(tenant=world.tenant))
        key = await world.key()
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute("DROP TABLE automation_retry_procrastinate")
            connection.execute(broken)
            refused = await world.retry(failed.execution_id, key)
            readiness = await world.client.get("/readyz")
            connection.execute(mended)
        accepted = await world.retry(failed.execution_id, key)

    assert refused.status_code == 503
    assert refused.headers["retry-after"] == "1"
    assert readiness.status_code == (503 if problem else 200)
    assert problem in readiness.text
    assert accepted.status_code == 200
    assert len(rows(database_url, "SELECT attempt FROM automation_failed_attempts")) == 1
