"""Failure groups with the index of groups and without it."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from attrs import evolve

from automation_retry.adapters.postgres import Database
from automation_retry.adapters.postgres.execution_queries import PostgresExecutionQueries
from automation_retry.adapters.postgres.execution_repository import PostgresExecutionRepository
from automation_retry.adapters.postgres.sql.failure_groups import ARE_INDEXED, list_failure_groups
from automation_retry.adapters.postgres.sql.indexes import IS_FAILED
from automation_retry.adapters.postgres.sql.selection import given, parameters
from automation_retry.application import ExecutionFilter, Timeline
from automation_retry.application.ports import FailureGroups
from automation_retry.domain import Execution, ExecutionStatus
from tests.support.factories import NOON, a_failed_execution, an_execution

TENANT = uuid4()
RULES = [UUID(int=number) for number in (1, 2)]
DAY = timedelta(days=1)
WITHOUT_INDEX = "DROP INDEX automation_retry_executions_group"
WALLED = """
CREATE ROLE {role};
GRANT ALL ON ALL TABLES IN SCHEMA public TO {role};
ALTER TABLE automation_executions ENABLE ROW LEVEL SECURITY;
CREATE POLICY every ON automation_executions USING (true);
"""


def executions() -> list[Execution]:
    """Of two rules and several patterns, some at the same time, and what is not to be counted."""
    failed = [
        a_failed_execution(
            tenant=TENANT,
            execution_id=UUID(int=number),
            automation_rule_id=RULES[number % 2],
            completed_at=NOON - number // 20 * timedelta(hours=1),
            actions_successful=number % 3,
            actions_failed=0,
            error_message=f"host {'abcde'[number % 5]} is down, try {number}",
        )
        for number in range(100)
    ]
    return [
        *failed,
        *(evolve(one, tenant=uuid4()) for one in failed[:10]),
        an_execution(tenant=TENANT, status=ExecutionStatus.COMPLETED, completed_at=NOON),
        a_failed_execution(tenant=TENANT, completed_at=NOON - 9 * DAY),
    ]


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    await database.open()
    await PostgresExecutionRepository(database, limit=2**20, by_tenant=False).add(executions())
    yield database
    await database.close()


def failures(**conditions: Any) -> ExecutionFilter:
    return ExecutionFilter(failed_from=NOON - DAY, failed_to=NOON, **conditions)


async def grouped(database: Database, wanted: ExecutionFilter, limit: int) -> FailureGroups:
    queries = PostgresExecutionQueries(database, limit=2**20)
    timeline = Timeline.of(NOON - DAY, NOON)
    return await queries.failure_groups(TENANT, wanted, timeline, limit)


@pytest.mark.parametrize(
    "wanted",
    [
        failures(),
        failures(automation_rule_id=RULES[0]),
        failures(search="host C"),
        failures(search="nothing like it"),
    ],
    ids=["all", "a rule", "a search", "none"],
)
async def test_groups_are_the_same_without_their_index(
    database: Database, database_url: str, wanted: ExecutionFilter
) -> None:
    """Before `migrate` has built it, or where it cannot be used."""
    indexed = [await grouped(database, wanted, limit) for limit in (2, 100)]
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(WITHOUT_INDEX)
    without = [await grouped(database, wanted, limit) for limit in (2, 100)]

    assert without == indexed
    assert indexed[1].executions == (0 if wanted.search == "nothing like it" else 80) // (
        2 if wanted.automation_rule_id else 5 if wanted.search else 1
    )


def test_without_their_index_every_message_is_folded_once(database_url: str) -> None:
    """However many groups there are: the table is read once, and then each example."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(WITHOUT_INDEX)
        wanted, timeline = failures(), Timeline.of(NOON - DAY, NOON)
        plan = connection.execute(
            "EXPLAIN "
            + list_failure_groups(given(wanted), IS_FAILED.as_string(), are_indexed=False),
            {
                **parameters(wanted),
                "tenant": TENANT,
                "limit": 50,
                "starts_at": timeline.starts_at.isoformat(),
                "bucket_s": timeline.bucket.total_seconds(),
            },
        ).fetchall()

    reads = [line for (line,) in plan if "automation_executions" in line and "Bitmap" not in line]
    assert len(reads) == 2


async def test_row_level_security_keeps_the_index_from_being_used(
    database: Database, database_url: str
) -> None:
    """PostgreSQL then looks for no value of a function, so that a walk would read all rows."""
    role = f"walled_{uuid4().hex}"
    assert await database.fetch(ARE_INDEXED, {}) == [{"are_indexed": True}]
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(WALLED.format(role=role).encode())
    walled = Database(f"{database_url}&options=-c%20role%3D{role}")
    await walled.open()
    try:
        indexed = await walled.fetch(ARE_INDEXED, {})
        groups = await grouped(walled, failures(), 100)
    finally:
        await walled.close()
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute(f"DROP OWNED BY {role}; DROP ROLE {role}".encode())

    assert indexed == [{"are_indexed": False}]
    assert groups == await grouped(database, failures(), 100)
