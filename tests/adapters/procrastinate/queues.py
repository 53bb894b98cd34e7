"""A service with Procrastinate, and what is in its outbox and in Procrastinate's queues."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg.rows import dict_row

from automation_retry.adapters.procrastinate.destinations import EVENT_TASK, JOB_TASK
from automation_retry.domain import Execution
from tests.support.factories import a_failed_execution
from tests.support.world import World, running_service

WITHOUT_RELAY = {"AUTOMATION_RETRY_RELAY": "false"}
JOB, EVENT = JOB_TASK, EVENT_TASK


@asynccontextmanager
async def serving(url: str, **variables: str) -> AsyncIterator[World]:
    async with running_service({"DATABASE_URL": url, **WITHOUT_RELAY, **variables}) as world:
        yield world


async def retry(world: World, execution: Execution, key: str) -> None:
    answer = await world.retry(execution.execution_id, key)
    assert answer.status_code == 200, answer.text


async def fail_again(world: World, execution: Execution, attempt: int) -> None:
    """Its engine reports that the attempt failed."""
    assert await world.storage.executions.report(a_failed(world, execution, attempt))


def a_failed(world: World, execution: Execution, attempt: int) -> Execution:
    return a_failed_execution(
        tenant=world.tenant, execution_id=execution.execution_id, retry_count=attempt
    )


def rows(url: str, statement: Any) -> Sequence[Mapping[str, Any]]:
    with psycopg.connect(url, row_factory=dict_row) as connection:
        return connection.execute(statement).fetchall()


def outbox(url: str) -> list[tuple[str, int]]:
    found = rows(url, "SELECT kind, attempt FROM automation_outbox ORDER BY kind DESC, attempt")
    return [(row["kind"], row["attempt"]) for row in found]


def jobs(url: str) -> list[tuple[str, int]]:
    """Task and attempt, in the order in which workers take them."""
    found = rows(url, "SELECT task_name, args FROM procrastinate_jobs ORDER BY id")
    return [(row["task_name"], attempt_of(row["args"])) for row in found]


def attempt_of(args: Mapping[str, Any]) -> int:
    attempt: int = args["attempt"] if "attempt" in args else args["payload"]["attempt"]
    return attempt


async def until_empty(url: str) -> None:
    """Returns when nothing waits in the outbox."""
    async with asyncio.timeout(30):
        while outbox(url):  # noqa: ASYNC110 - the relay may be another process
            await asyncio.sleep(0.05)
