"""Bulk retries among locks, triggers and rows of other programs."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, LiteralString
from uuid import UUID

import psycopg
import pytest
from attrs import evolve, field, frozen
from psycopg.rows import dict_row
from structlog.testing import capture_logs

from automation_retry.adapters.postgres.rows import recorded_execution
from automation_retry.application import BulkRetry, MessageKind, PageRequest
from automation_retry.application.ports import CommitOutcome, NewUnitOfWork, UnitOfWork
from automation_retry.domain import PAYLOADS, Execution, ExecutionStatus, Retry
from tests.adapters.postgres.test_lock_waits import LOCK_ONE, connected, lock_waits
from tests.support.bulk import bulk_retry, outcomes
from tests.support.factories import a_failed_execution, a_principal
from tests.support.foreign_rows import ForeignRows, create_table, foreign_rows
from tests.support.world import World, running_service


async def failed_ones(world: World, number: int) -> list[UUID]:
    added = [a_failed_execution(tenant=world.tenant) for _ in range(number)]
    await world.storage.executions.add(added)
    return [one.execution_id for one in added]


async def attempts(world: World, ids: Sequence[UUID]) -> list[int]:
    return [
        (
            await world.storage.executions.failed_attempts(world.tenant, one, PageRequest(limit=1))
        ).total
        for one in ids
    ]


async def test_a_locked_execution_is_passed_over(postgres_world: World, database_url: str) -> None:
    """It is a conflict while somebody holds the lock; no connection waits, others are retried."""
    world, key = postgres_world, await postgres_world.key()
    ids = await failed_ones(world, 3)
    async with connected(database_url) as engine:
        await engine.execute(LOCK_ONE, {"execution_id": ids[1]})
        request = asyncio.create_task(bulk_retry(world, key, ids))
        async with asyncio.timeout(5):
            while await attempts(world, ids) != [1, 0, 1]:
                pass
        waits = await lock_waits(database_url)
        answer = await request
    later = await bulk_retry(world, key, ids[1:2])

    assert (outcomes(answer), waits) == ([1, "CONFLICT", 1], 0)
    assert outcomes(later) == [1]


async def test_a_lock_takes_no_request_beyond_its_time(database_url: str) -> None:
    """Where that is one second."""
    variables = {
        "DATABASE_URL": database_url,
        "AUTOMATION_RETRY_RELAY": "false",
        "AUTOMATION_RETRY_REQUEST_TIMEOUT_MS": "1000",
    }
    async with running_service(variables) as world, connected(database_url) as engine:
        ids, key = await failed_ones(world, 2), await world.key()
        await engine.execute(LOCK_ONE, {"execution_id": ids[0]})
        answer = await bulk_retry(world, key, ids)

    assert outcomes(answer) == ["CONFLICT", 1]


@pytest.mark.parametrize("number", [1, 3])
async def test_one_that_is_locked_for_a_moment_is_retried(
    postgres_world: World, database_url: str, number: int
) -> None:
    """In a later round; whether it is alone or not."""
    world, key = postgres_world, await postgres_world.key()
    ids = await failed_ones(world, number)
    async with connected(database_url) as engine:
        await engine.execute(LOCK_ONE, {"execution_id": ids[0]})
        request = asyncio.create_task(bulk_retry(world, key, ids))
        await asyncio.sleep(0.3)
        unlocked_before_the_answer = not request.done()
    answer = await request

    assert unlocked_before_the_answer
    assert outcomes(answer) == [1] * number


async def test_opposite_orders_beside_single_retries(database_url: str) -> None:
    """By two processes: no deadlock reaches anybody, and each execution is retried once."""
    variables = {"DATABASE_URL": database_url, "AUTOMATION_RETRY_RELAY": "false"}
    async with running_service(variables) as world, running_service(variables) as other:
        ids, key = await failed_ones(world, 40), await world.key()
        bulks = [
            bulk_retry(one, key, order)
            for order in (ids, ids[::-1], ids[20:] + ids[:20])
            for one in (world, other)
            for _ in range(3)
        ]
        singles = [(world, other)[i % 2].retry(one, key) for i, one in enumerate(ids)]
        answers = await asyncio.gather(*bulks, *singles)
        archived = await attempts(world, ids)
        sent = [one.retried.execution_id for one in await world.sent(MessageKind.JOB)]

    bulk_answers, single_answers = answers[: len(bulks)], answers[len(bulks) :]
    won = [one for answer in bulk_answers for one in answer.json()["data"]["execution_ids"]]
    won += [answer.json()["data"]["execution_id"] for answer in single_answers if answer.is_success]
    assert {answer.status_code for answer in bulk_answers} == {200}
    assert {answer.status_code for answer in single_answers} <= {200, 400}
    assert sorted(won) == sorted(map(str, ids))
    assert archived == [1] * len(ids)
    assert sorted(sent) == sorted(ids)


async def test_one_whose_retry_count_was_set_back_goes_on_after_its_attempts(
    postgres_world: World, database_url: str
) -> None:
    """And the others are retried with it."""
    world, key = postgres_world, await postgres_world.key()
    ids = await failed_ones(world, 5)
    await bulk_retry(world, key, ids[1:2])
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "UPDATE automation_executions SET status = 'failed', retry_count = 0"
            " WHERE execution_id = %s",
            (ids[1],),
        )

    answer = await bulk_retry(world, key, ids)

    assert outcomes(answer) == [1, 2, 1, 1, 1]


@pytest.fixture
async def rows(empty_database_url: str) -> AsyncIterator[ForeignRows]:
    async with foreign_rows(empty_database_url) as opened:
        yield opened


def install(rows: ForeignRows, body: LiteralString) -> None:
    rows.execute(
        "CREATE FUNCTION theirs() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN " + body + " END; $$"
    )
    rows.execute(
        "CREATE TRIGGER theirs BEFORE UPDATE ON automation_executions"
        " FOR EACH ROW EXECUTE FUNCTION theirs()"
    )


SECRET = "the tenant's own text"


@pytest.mark.parametrize(
    ("refuses", "reason"),
    [
        ("RAISE EXCEPTION 'no: %', NEW;", "function theirs"),
        ("RETURN NULL;", "was discarded, as by a trigger"),
        ("NEW.actions_failed = 1 / 0;", "function theirs"),
    ],
)
async def test_one_that_a_trigger_refuses_holds_up_no_other(
    rows: ForeignRows, refuses: LiteralString, reason: str
) -> None:
    """It is refused as by its own retry, and the log says why without quoting the row."""
    ids = [rows.insert(error_message=SECRET) for _ in range(7)]
    rows.insert(execution_id=(odd := UUID(int=7)), trigger_data='{"odd": true}')
    install(rows, "IF NEW.trigger_data ? 'odd' THEN " + refuses + " END IF; RETURN NEW;")

    with capture_logs() as lines:
        answer = await bulk_retry(rows.world, rows.key, [*ids, odd], idempotency_key="k")

    [line] = [one for one in lines if one["event"] == "request"]
    single = (await rows.world.retry(odd, rows.key)).json()["error"]
    assert outcomes(answer) == [1] * 7 + ["INTERNAL_ERROR"]
    assert answer.json()["data"]["results"][-1]["message"] == single["message"]
    assert (line["retried"], line["refused"]) == (7, 1)
    assert reason in line["reason"]
    assert SECRET not in str(line)
    assert rows.stored(odd, "status") == {"status": "failed"}
    assert rows.archived(odd) == []


async def test_one_whose_new_state_no_answer_can_express_is_retried(rows: ForeignRows) -> None:
    """Its own retry would be 503; here the answer needs no more than the attempt's number."""
    odd, other = rows.insert(), rows.insert()
    install(rows, "NEW.actions_total = -1; RETURN NEW;")

    answer = await bulk_retry(rows.world, rows.key, [odd, other])

    assert outcomes(answer) == [1, 1]
    assert rows.stored(odd, "status", "retry_count") == {"status": "pending", "retry_count": "1"}


async def test_rows_as_they_are(empty_database_url: str) -> None:
    """Other types, NULLs, an infinite time, a kept value out of range, an unknown status."""
    create_table(
        empty_database_url,
        status="varchar(20)",
        started_at="timestamp(0)",
        duration_ms="numeric",
    )
    async with foreign_rows(empty_database_url) as rows:
        plain = rows.insert()
        infinite = rows.insert(started_at="infinity", actions_failed=-1)
        counted = rows.insert(retry_count=41)
        unreadable = rows.insert(actions_total=None)
        unknown = rows.insert(status="paused")

        answer = await bulk_retry(
            rows.world, rows.key, [plain, infinite, unreadable, unknown, counted], "why"
        )

    assert outcomes(answer) == [1, 1, "INTERNAL_ERROR", "BAD_REQUEST", 42]


@frozen
class Outcomes:
    """Units of work whose outcomes a test looks at."""

    new: NewUnitOfWork
    seen: list[CommitOutcome] = field(init=False, factory=list)
    staged: list[Retry] = field(init=False, factory=list)

    def __call__(self) -> UnitOfWork:
        work = self.new()
        record, commit = work.record, work.commit

        def recorded(retry: Retry, *others: Any) -> None:
            self.staged.append(retry)
            record(retry, *others)

        async def committed(*, wait: bool) -> CommitOutcome:
            outcome = await commit(wait=wait)
            self.seen.append(outcome)
            return outcome

        work.record, work.commit = recorded, committed  # type: ignore[method-assign, assignment]
        return work


async def test_large_executions_are_not_held_at_once(
    postgres_world: World, database_url: str
) -> None:
    """Neither what is read nor what the commit returns has their payloads, which all keep."""
    world = postgres_world
    ids = await failed_ones(world, 20)
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "UPDATE automation_executions SET logs = jsonb_build_array((SELECT"
            " string_agg(md5(n::text || execution_id), '') FROM generate_series(1, 20000) n))"
        )
    outcomes = Outcomes(world.storage.new_unit_of_work)
    use_case: BulkRetry = evolve(world.container.bulk_retry(), new_unit_of_work=outcomes)

    answer = await use_case(a_principal(tenant=world.tenant), ids)

    [outcome] = outcomes.seen
    stored = await world.storage.executions.get(world.tenant, ids[0])
    assert len(answer.retried) == len(outcome.committed) == len(outcomes.staged) == 20
    assert {one.logs for one in outcome.committed.values()} == {None}
    assert {one.before.logs for one in outcomes.staged} == {None}
    assert stored.status is ExecutionStatus.PENDING
    assert stored.logs
    assert len(stored.logs.text) > 600_000


async def test_to_the_version_before_the_key_is_used(
    postgres_world: World, database_url: str
) -> None:
    """Its statement finds the answer of an execution that nobody has, which it refuses: 422."""
    world, key = postgres_world, await postgres_world.key()
    [failed] = await failed_ones(world, 1)
    await bulk_retry(world, key, [failed], idempotency_key="k")

    with psycopg.connect(database_url, row_factory=dict_row) as connection:
        [row] = connection.execute(VERSION_BEFORE).fetchall()

    read: Execution = recorded_execution(row["record"], row)
    assert read.execution_id != failed
    assert {getattr(read, name) for name in PAYLOADS} == {None}


VERSION_BEFORE: LiteralString = """
SELECT execution - ARRAY['trigger_data', 'execution_context', 'logs'] AS record,
       (execution -> 'trigger_data')::text AS trigger_data,
       (execution -> 'execution_context')::text AS execution_context,
       (execution -> 'logs')::text AS logs
FROM automation_idempotency_keys
"""
