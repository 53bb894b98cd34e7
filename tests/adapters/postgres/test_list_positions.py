"""Positions that nobody got from a list: a cursor is no secret, and can be made by anybody."""

from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from automation_retry.adapters.postgres import Database
from automation_retry.adapters.postgres.execution_queries import PostgresExecutionQueries
from automation_retry.adapters.postgres.execution_repository import PostgresExecutionRepository
from automation_retry.application import (
    Direction,
    ExecutionFilter,
    InvalidParameters,
    Position,
    SortField,
    Sorting,
)
from automation_retry.application.cursors import A_CURSOR
from automation_retry.application.ports import Window
from tests.support.factories import an_execution

TIMES = (SortField.STARTED_AT, SortField.FAILED_AT, SortField.COMPLETED_AT)
NO_KEYS = [
    *(pytest.param(by, key, id=f"{by.value}: {key[:20]!r}") for by in TIMES for key in (
        "", "x", "12", "2026-13-01", "2026-11-27T25:00:00", "999999-01-01", "a\0b", "\ud800",
        "x" * 900, "{}", "'; DROP TABLE automation_executions; --",
    )),
    *(pytest.param(SortField.DURATION_MS, key, id=f"duration_ms: {key[:20]!r}") for key in (
        "", "x", "1e400", "1e-400", "2026-11-27", "a\0b", "\ud800", "1" * 900, "0x", "1;2",
    )),
]  # fmt: skip


@pytest.fixture(scope="module")
async def queries(request: pytest.FixtureRequest) -> AsyncIterator[PostgresExecutionQueries]:
    url = request.getfixturevalue("postgres_server").new_database("migrated")
    database = Database(url)
    await database.open()
    yield PostgresExecutionQueries(database, limit=2**20)
    await database.close()


@pytest.mark.parametrize(("by", "key"), NO_KEYS)
async def test_what_is_no_value_of_the_column_is_no_cursor(
    queries: PostgresExecutionQueries, by: SortField, key: str
) -> None:
    """400 in either direction, never a 500, and the text is not repeated."""
    position = Position(key=key, execution_id=UUID(int=1))
    for direction in Direction:
        with pytest.raises(InvalidParameters) as refused:
            await queries.executions(
                uuid4(),
                ExecutionFilter(),
                Sorting(by=by, direction=direction),
                Window(limit=1, after=position, counted=False),
                (),
            )

        assert refused.value.expected == {"cursor": A_CURSOR}


@pytest.mark.parametrize(
    ("by", "key"),
    [
        *((by, key) for by in TIMES for key in ("infinity", "-infinity", "epoch", "now", None)),
        *((SortField.DURATION_MS, key) for key in ("NaN", "-Infinity", " 12 ", None)),
    ],
)
async def test_every_value_of_the_column_is_a_place(
    queries: PostgresExecutionQueries, by: SortField, key: str | None
) -> None:
    """Whatever it means, the list goes on there."""
    window = Window(limit=1, after=Position(key=key, execution_id=UUID(int=1)), counted=False)
    listed = await queries.executions(uuid4(), ExecutionFilter(), Sorting(by=by), window, ())

    assert (listed.items, listed.next) == ([], None)


async def test_a_list_goes_on_after_the_exact_number(database_url: str) -> None:
    """Behind a pooler too, where the session's settings are not this service's."""
    tenant = uuid4()
    durations = [0.1, 0.1 + 2**-56, 0.1 + 2**-55]
    with psycopg.connect(database_url, autocommit=True) as connection:
        name = Identifier(connection.info.dbname)
        connection.execute(SQL("ALTER DATABASE {} SET extra_float_digits = -10").format(name))
    database = Database(database_url, own_sessions=False)
    await database.open()
    repository = PostgresExecutionRepository(database, limit=2**20, by_tenant=False)
    await repository.add([an_execution(tenant=tenant, duration_ms=one) for one in durations])
    queries = PostgresExecutionQueries(database, limit=2**20)
    longest_first = Sorting(by=SortField.DURATION_MS)
    after, seen = None, []
    for _ in durations:
        window = Window(limit=1, after=after, counted=False)
        listed = await queries.executions(tenant, ExecutionFilter(), longest_first, window, ())
        seen += [one.duration_ms for one in listed.items]
        after = listed.next
    await database.close()

    assert seen == durations[::-1]
    assert after is None
