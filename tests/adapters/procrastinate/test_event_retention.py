"""Old event jobs are removed, and nothing else: neither jobs nor what is another application's."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, LiteralString

import psycopg
import pytest
from attrs import frozen

from automation_retry.adapters.postgres import Database
from automation_retry.adapters.procrastinate.retention import (
    PLAN_WITH_INDEXES,
    REMOVE,
    EventRetention,
)
from automation_retry.entrypoints.settings import SettingsError, read_settings
from tests.adapters.postgres.test_claim_cost import EXPLAIN, pages_read
from tests.adapters.procrastinate.queues import EVENT, JOB, jobs, retry, serving
from tests.support.factories import a_failed_execution

OLD, YOUNG = "2 hours", "10 minutes"
KEPT_FOR_S = 3600
DEFER: LiteralString = """
SELECT procrastinate_defer_jobs_v1(
    array_agg(ROW(%(queue)s, %(task)s, 0, NULL, NULL, '{}', NULL)::procrastinate_job_to_defer_v1)
)
FROM generate_series(1, %(count)s)
"""
STATISTICS: LiteralString = """
SELECT pg_restore_relation_stats('schemaname', 'public', 'relname', r.name,
                                 'relpages', %(pages)s::integer, 'reltuples', %(rows)s::real)
FROM (VALUES ('procrastinate_jobs'), ('procrastinate_events')) AS r (name)
"""


@frozen
class Queues:
    """Procrastinate's tables, and a retention of an hour."""

    connection: psycopg.AsyncConnection[Any]
    retention: EventRetention

    async def defer(
        self, age: str, *, task: str = EVENT, status: str = "todo", count: int = 1
    ) -> list[int]:
        """The ids of new jobs of that age."""
        queue = {EVENT: "automation.events", JOB: "automation.executions"}.get(task, "mail")
        values = {"queue": queue, "task": task, "count": count}
        [ids] = await (await self.connection.execute(DEFER, values)).fetchone() or ([],)
        await self.connection.execute(
            "UPDATE procrastinate_jobs SET status = %s WHERE id = ANY(%s)", [status, ids]
        )
        await self.grow_to(age, ids)
        return list(ids)

    async def grow_to(self, age: str, ids: list[int]) -> None:
        await self.connection.execute(
            "UPDATE procrastinate_events SET at = now() - %s::interval WHERE job_id = ANY(%s)",
            [age, ids],
        )

    async def remaining(self) -> list[int]:
        rows = await self.connection.execute("SELECT id FROM procrastinate_jobs ORDER BY id")
        return [row[0] for row in await rows.fetchall()]


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    database = Database(url)
    await database.open()
    try:
        yield database
    finally:
        await database.close()


@pytest.fixture
async def queues(database_url: str) -> AsyncIterator[Queues]:
    connecting = psycopg.AsyncConnection.connect(database_url, autocommit=True)
    async with opened(database_url) as database, await connecting as connection:
        yield Queues(connection, EventRetention(database.joined, KEPT_FOR_S))


@pytest.mark.parametrize("status", ["todo", "succeeded", "failed", "cancelled", "aborted"])
async def test_old_events_are_removed(queues: Queues, status: str) -> None:
    """Whether fetched or not, with what Procrastinate notes about them."""
    await queues.defer(OLD, status=status)

    removed = await queues.retention.remove(10)

    notes = await queues.connection.execute("SELECT FROM procrastinate_events")
    assert removed == 1
    assert await queues.remaining() == []
    assert notes.rowcount == 0


@pytest.mark.parametrize(
    ("age", "task", "status"),
    [
        (YOUNG, EVENT, "todo"),
        (OLD, EVENT, "doing"),
        (OLD, JOB, "todo"),
        (OLD, JOB, "succeeded"),
        (OLD, "send_mail", "todo"),
    ],
)
async def test_everything_else_is_kept(queues: Queues, age: str, task: str, status: str) -> None:
    kept = await queues.defer(age, task=task, status=status)

    removed = await queues.retention.remove(10)

    assert removed == 0
    assert await queues.remaining() == kept


async def test_an_event_of_unknown_age_is_kept(queues: Queues) -> None:
    """What Procrastinate noted about it was deleted."""
    kept = await queues.defer(OLD)
    await queues.connection.execute("DELETE FROM procrastinate_events")

    assert await queues.retention.remove(10) == 0
    assert await queues.remaining() == kept


async def test_events_are_found_behind_other_jobs(queues: Queues) -> None:
    """More than are examined at a time."""
    kept = await queues.defer(OLD, task=JOB, count=5)
    await queues.defer(OLD)

    removed = [await queues.retention.remove(2) for _ in range(2)]

    assert removed == [1, 0]
    assert await queues.remaining() == kept


async def test_a_call_removes_no_more_than_its_limit(queues: Queues) -> None:
    await queues.defer(OLD, count=5)

    removed = [await queues.retention.remove(2) for _ in range(4)]

    assert removed == [2, 2, 1, 0]


async def test_an_event_is_removed_when_it_comes_of_age(queues: Queues) -> None:
    """Also if one with a greater id is older, as after a long transaction."""
    first = await queues.defer(YOUNG)
    await queues.defer(OLD)
    before = await queues.retention.remove(10)
    await queues.grow_to(OLD, first)
    after = await queues.retention.remove(10)

    assert (before, after) == (1, 1)
    assert await queues.remaining() == []


async def test_what_a_listener_is_fetching_is_not_waited_for(
    queues: Queues, database_url: str
) -> None:
    """Its row is locked until it commits."""
    [fetched, _] = await queues.defer(OLD, count=2)
    async with await psycopg.AsyncConnection.connect(database_url) as listener:
        await listener.execute("INSERT INTO procrastinate_workers DEFAULT VALUES")
        await listener.execute(
            "SELECT procrastinate_fetch_job_v2(ARRAY['automation.events'], max(id))"
            " FROM procrastinate_workers"
        )
        async with asyncio.timeout(5):
            removed = await queues.retention.remove(10)

    assert removed == 1
    assert await queues.remaining() == [fetched]


@pytest.mark.parametrize(("pages", "rows"), [(0, -1), (0, 0), (300, 0), (1, 1), (300, 6000)])
async def test_a_batch_costs_the_same_whatever_waits(queues: Queues, pages: int, rows: int) -> None:
    """Removing ten of 6000 old events reads a few pages for each, whatever the statistics say."""
    await queues.defer(OLD, count=6000)
    parameters = {"queue": "automation.events", "task": EVENT, "older_than_s": KEPT_FOR_S}
    async with queues.connection.transaction():
        await queues.connection.execute(STATISTICS, {"pages": pages, "rows": rows})
        await queues.connection.execute(PLAN_WITH_INDEXES)
        cursor = await queues.connection.execute(
            EXPLAIN + REMOVE, {**parameters, "after": 0, "limit": 10}
        )
        explained = await cursor.fetchone()

    assert explained
    assert pages_read(explained) < 500
    assert len(await queues.remaining()) == 5990


def test_the_age_is_a_setting() -> None:
    """Seconds; a week unless something else is set."""
    url = {"DATABASE_URL": "postgresql://db/automation"}
    name = "AUTOMATION_RETRY_EVENT_RETENTION_S"

    assert read_settings(url).events.variables.event_retention_s == 7 * 24 * 3600
    assert read_settings({**url, name: "60"}).events.variables.event_retention_s == 60
    with pytest.raises(SettingsError, match=f"{name}: must be a whole number of seconds from 1 to"):
        read_settings({**url, name: "0"})


async def test_a_service_removes_what_nobody_fetched(database_url: str) -> None:
    """And keeps the job, which waits for its engine."""
    async with serving(database_url) as world:
        failed = await world.add(a_failed_execution(tenant=world.tenant))
        await retry(world, failed, await world.key())
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE procrastinate_events SET at = at - interval '8 days'")
    async with serving(database_url, AUTOMATION_RETRY_RELAY="true"), asyncio.timeout(30):
        while len(jobs(database_url)) > 1:  # noqa: ASYNC110 - the loop has no event for it
            await asyncio.sleep(0.05)

    assert jobs(database_url) == [(JOB, 1)]
