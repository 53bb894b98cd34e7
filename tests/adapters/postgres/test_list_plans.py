"""How PostgreSQL reads the lists that people look at most: along an index."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any, LiteralString
from uuid import UUID, uuid4

import psycopg
import pytest

from automation_retry.adapters.postgres.sql.failure_groups import list_failure_groups
from automation_retry.adapters.postgres.sql.indexes import IS_FAILED
from automation_retry.adapters.postgres.sql.lists import LARGE, list_executions
from automation_retry.adapters.postgres.sql.selection import parameters
from automation_retry.application import (
    Direction,
    ExecutionFilter,
    Position,
    SortField,
    Sorting,
    Timeline,
)
from automation_retry.domain import ExecutionStatus, failure_group_id
from tests.support.factories import NOON

TENANT, OTHER = uuid4(), uuid4()
RULE = UUID(int=3)
STARTED, RULES, FAILURES, GROUP = (
    f"automation_retry_executions_{name}" for name in ("started", "rule", "failed", "group")
)
# Of 20,000 executions a tenant every tenth failed; some never started.
ROWS: LiteralString = """
INSERT INTO automation_executions (
    tenant, execution_id, automation_rule_id, status, started_at, completed_at, actions_total,
    error_message
)
SELECT tenant, gen_random_uuid(), lpad(to_hex(i %% 20), 32, '0')::uuid,
       CASE WHEN i %% 10 = 3 THEN 'failed' ELSE 'completed' END,
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


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes(inner)


def scans(database: psycopg.Connection, statement: Any, given: dict[str, Any]) -> Sequence[Any]:
    """How the table of executions is read."""
    [[[explained]]] = database.execute(
        "EXPLAIN (ANALYZE, FORMAT JSON) " + statement.as_string(), given
    ).fetchall()
    return [
        node
        for node in nodes(explained["Plan"])
        if node.get("Relation Name") == "automation_executions"
    ]


def page_of(
    wanted: ExecutionFilter, sorting: Sorting, after: Position | None
) -> tuple[Any, dict[str, Any]]:
    statement = list_executions(wanted, sorting, after, LARGE, IS_FAILED, counted=after is None)
    given = {"tenant": TENANT, "wanted": 25, "offset": 0, "most": 26, "limit": 2**20}
    key, execution_id = (after.key, after.execution_id) if after else (None, None)
    place = {"key": key, "execution_id": execution_id}
    return statement, {**parameters(wanted), **given, **place, "budget": 2**23}


ONLY_FAILED = ExecutionFilter(statuses=frozenset({ExecutionStatus.FAILED}))
OF_RULE_FAILED = ExecutionFilter(
    statuses=frozenset({ExecutionStatus.FAILED}), automation_rule_id=RULE
)
OF_GROUP = ExecutionFilter(failure_group_id=failure_group_id(RULE, "host d is down"))
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

    Nothing is read and thrown away.
    """
    for direction in Direction:
        found = scans(database, *page_of(wanted, Sorting(by=by, direction=direction), after))

        assert not [scan for scan in found if scan["Node Type"] == "Seq Scan"]
        assert index in {scan.get("Index Name") for scan in found}
        assert sum(scan.get("Rows Removed by Filter", 0) for scan in found) == 0


def test_groups_are_counted_along_their_index(database: psycopg.Connection) -> None:
    """Every failed execution of the time is read once, and no message folded again."""
    week = timedelta(days=7)
    wanted = ExecutionFilter(failed_from=NOON - week, failed_to=NOON)
    timeline = Timeline.of(NOON - week, NOON)

    found = scans(
        database,
        list_failure_groups(wanted, IS_FAILED),
        {
            **parameters(wanted),
            "tenant": TENANT,
            "limit": 50,
            "starts_at": timeline.starts_at.timestamp(),
            "bucket_s": timeline.bucket.total_seconds(),
        },
    )

    assert {scan.get("Index Name") for scan in found} == {GROUP}
    assert all(scan.get("Rows Removed by Filter", 0) == 0 for scan in found)
