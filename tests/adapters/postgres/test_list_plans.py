"""How PostgreSQL reads the lists that people look at most: along an index."""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any, LiteralString
from uuid import UUID, uuid4

import psycopg
import pytest

from automation_retry.adapters.postgres import Database
from automation_retry.adapters.postgres.execution_queries import PostgresExecutionQueries
from automation_retry.adapters.postgres.sql.failure_groups import list_failure_groups
from automation_retry.adapters.postgres.sql.indexes import IS_FAILED
from automation_retry.adapters.postgres.sql.lists import LARGE, list_executions
from automation_retry.adapters.postgres.sql.selection import given, parameters
from automation_retry.application import (
    Direction,
    ExecutionFilter,
    Position,
    SortField,
    Sorting,
    Timeline,
)
from automation_retry.application.ports import Window
from automation_retry.domain import ExecutionStatus, failure_group_id
from automation_retry.entrypoints.lifecycle import migrate_database
from automation_retry.entrypoints.settings import read_settings
from tests.support.factories import NOON
from tests.support.foreign_rows import create_table
from tests.support.indexes import PATIENCE_S

FAILED = IS_FAILED.as_string()
TENANT, OTHER = uuid4(), uuid4()
RULE = UUID(int=3)
KEY = "automation_executions_pkey"
STARTED, RULES, FAILURES, GROUP = (
    f"automation_retry_executions_{name}" for name in ("started", "rule", "failed", "group")
)
FAILED_ROWS: LiteralString = """
INSERT INTO automation_executions (tenant, execution_id, status, completed_at)
SELECT %(tenant)s, gen_random_uuid(), 'failed', %(noon)s::timestamptz - i * interval '1 minute'
FROM generate_series(1, 2000) AS i
"""
IS_USED: LiteralString = "SELECT FROM pg_stat_user_indexes WHERE indexrelname = %s AND idx_scan > 0"
# Of 20,000 executions a tenant every tenth failed; some never started.
ROWS: LiteralString = """
INSERT INTO automation_executions (
    tenant, execution_id, automation_rule_id, status, started_at, completed_at, actions_total,
    error_message
)
SELECT tenant, gen_random_uuid(), lpad(to_hex(i %% 20), 32, '0')::uuid,
       CASE WHEN i %% 10 = 3 THEN 'failed' WHEN i %% 500 = 4 THEN 'running'
            ELSE 'completed' END,
       CASE WHEN i %% 100 > 0 THEN %(noon)s::timestamptz - i * interval '1 minute' END,
       CASE WHEN i %% 50 > 0 THEN %(noon)s::timestamptz - i * interval '1 minute' END, 3,
       CASE WHEN i %% 10 = 3 THEN 'host ' || chr(97 + i %% 7) || ' is down' END
FROM unnest(%(tenants)s::uuid[]) AS tenant, generate_series(1, 20000) AS i
"""


@pytest.fixture(scope="module")
def database(request: pytest.FixtureRequest) -> Iterator[psycopg.Connection]:
    url = request.getfixturevalue("postgres_server").new_database("migrated")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(ROWS, {"noon": NOON, "tenants": [TENANT, OTHER]})
        connection.execute("VACUUM ANALYZE automation_executions")
        yield connection


def create_state(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TYPE states AS ENUM ('pending', 'failed', 'completed')")
        connection.execute("CREATE DOMAIN state AS states")


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes(inner)


def scans(
    database: psycopg.Connection, statement: LiteralString, values: dict[str, Any]
) -> Sequence[Any]:
    """How the table of executions is read."""
    [[[explained]]] = database.execute(
        "EXPLAIN (ANALYZE, FORMAT JSON) " + statement, values
    ).fetchall()
    return [
        node
        for node in nodes(explained["Plan"])
        if node.get("Relation Name") == "automation_executions"
    ]


def page_of(
    wanted: ExecutionFilter, sorting: Sorting, after: Position | None
) -> tuple[Any, dict[str, Any]]:
    statement = list_executions(
        given(wanted),
        sorting,
        None if after is None else "null" if after.key is None else "value",
        frozenset(LARGE),
        FAILED,
        counted=after is None,
    )
    window = {"tenant": TENANT, "wanted": 25, "offset": 0, "most": 26, "limit": 2**20}
    key, execution_id = (after.key, after.execution_id) if after else (None, None)
    place = {"key": key, "execution_id": execution_id}
    return statement, {**parameters(wanted), **window, **place, "budget": 2**23}


ONLY_FAILED = ExecutionFilter(statuses=frozenset({ExecutionStatus.FAILED}))
OF_RULE_FAILED = ExecutionFilter(
    statuses=frozenset({ExecutionStatus.FAILED}), automation_rule_id=RULE
)
OF_GROUP = ExecutionFilter(failure_group_id=failure_group_id(RULE, "host d is down"))
RUNNING = ExecutionFilter(statuses=frozenset({ExecutionStatus.RUNNING}))
OF_RULE_RUNNING = ExecutionFilter(
    statuses=frozenset({ExecutionStatus.RUNNING}), automation_rule_id=UUID(int=4)
)
START, FAILURE = SortField.STARTED_AT, SortField.FAILED_AT
LISTS = [
    pytest.param(ExecutionFilter(), START, STARTED, id="all"),
    pytest.param(ExecutionFilter(automation_rule_id=RULE), START, RULES, id="rule"),
    pytest.param(ONLY_FAILED, FAILURE, FAILURES, id="failed"),
    pytest.param(OF_RULE_FAILED, FAILURE, FAILURES, id="failed of a rule"),
    pytest.param(OF_GROUP, FAILURE, GROUP, id="group"),
]
FIRST = None
MIDDLE = Position(key=(NOON - timedelta(days=7)).isoformat(), execution_id=UUID(int=1))
AMONG_NULLS = Position(key=None, execution_id=UUID(int=2**127))


@pytest.mark.parametrize("after", [FIRST, MIDDLE, AMONG_NULLS], ids=["first", "middle", "nulls"])
@pytest.mark.parametrize(("wanted", "by", "index"), LISTS)
def test_a_list_is_read_along_its_index(
    database: psycopg.Connection,
    wanted: ExecutionFilter,
    by: SortField,
    index: str,
    after: Position | None,
) -> None:
    """In both directions, and wherever the list goes on, nulls last included.

    Nothing is read and thrown away; each scan is of one tenant, by which tables may be sharded.
    """
    for direction in Direction:
        found = scans(database, *page_of(wanted, Sorting(by=by, direction=direction), after))

        assert not [scan for scan in found if scan["Node Type"] == "Seq Scan"]
        assert index in {scan.get("Index Name") for scan in found}
        assert sum(scan.get("Rows Removed by Filter", 0) for scan in found) == 0
        assert all(str(TENANT) in scan["Index Cond"] for scan in found)


@pytest.mark.parametrize(("wanted", "index"), [(RUNNING, STARTED), (OF_RULE_RUNNING, RULES)])
def test_a_rare_status_is_found_in_an_index(
    database: psycopg.Connection, wanted: ExecutionFilter, index: str
) -> None:
    """Rows of other statuses are not read."""
    found = scans(database, *page_of(wanted, Sorting(), MIDDLE))
    kinds = {scan["Node Type"] for scan in found if scan.get("Index Name") == index}

    assert kinds == {"Index Only Scan"}


def passes(found: Sequence[Any]) -> int:
    """How often rows that match were looked for; inner scans read those that are shown."""
    searches = [scan for scan in found if scan["Parent Relationship"] != "Inner"]
    return sum(scan["Actual Loops"] > 0 for scan in searches)


@pytest.mark.parametrize(
    ("by", "key"), [(SortField.COMPLETED_AT, MIDDLE.key), (SortField.DURATION_MS, "1000")]
)
def test_an_order_without_an_index_takes_one_pass(
    database: psycopg.Connection, by: SortField, key: str
) -> None:
    """Executions with a value and without one are found together; the total takes another."""
    after = Position(key=key, execution_id=UUID(int=1))
    first = scans(database, *page_of(ExecutionFilter(), Sorting(by=by), None))
    following = scans(database, *page_of(ExecutionFilter(), Sorting(by=by), after))

    assert (passes(first), passes(following)) == (2, 1)


def test_what_ends_on_its_first_page_is_not_counted(database: psycopg.Connection) -> None:
    """Its total is known; finding none would take as long again."""
    none = scans(database, *page_of(ExecutionFilter(search="none"), Sorting(), None))
    many = scans(database, *page_of(ExecutionFilter(search="is down"), Sorting(), None))

    assert (passes(none), passes(many)) == (2, 3)


async def test_the_index_of_failures_serves_a_domain(empty_database_url: str) -> None:
    """A status of a domain over an enumerated type needs another condition than other types."""
    create_state(empty_database_url)
    create_table(empty_database_url, status="state")
    await migrate_database(read_settings({"DATABASE_URL": empty_database_url}))
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute(FAILED_ROWS, {"noon": NOON, "tenant": TENANT})
        connection.execute("ANALYZE automation_executions")

        database = Database(empty_database_url)
        await database.open()
        queries = PostgresExecutionQueries(database, limit=2**20)
        listed = await queries.executions(
            TENANT, ONLY_FAILED, Sorting(by=FAILURE), Window(limit=25), ()
        )
        await database.close()  # its sessions tell what they have read as they end

        assert listed.total == 2000
        async with asyncio.timeout(PATIENCE_S):
            while not connection.execute(IS_USED, [FAILURES]).rowcount:  # noqa: ASYNC110 - statistics
                await asyncio.sleep(0.05)


def test_groups_are_counted_along_their_index(database: psycopg.Connection) -> None:
    """Every failed execution of the time is read once, and no message folded again.

    Examples are then read by their keys.
    """
    week = timedelta(days=7)
    wanted = ExecutionFilter(failed_from=NOON - week, failed_to=NOON)
    timeline = Timeline.of(NOON - week, NOON)

    found = scans(
        database,
        list_failure_groups(given(wanted), FAILED, are_indexed=True),
        {
            **parameters(wanted),
            "tenant": TENANT,
            "limit": 50,
            "starts_at": timeline.starts_at.isoformat(),
            "bucket_s": timeline.bucket.total_seconds(),
        },
    )

    assert {scan.get("Index Name") for scan in found} == {GROUP, KEY}
    assert all(scan.get("Rows Removed by Filter", 0) == 0 for scan in found)
