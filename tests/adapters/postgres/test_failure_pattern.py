"""SQL and Python agree on every failure pattern and every failure group."""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import LiteralString
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from automation_retry.adapters.postgres.failure_groups import group_id, group_key
from automation_retry.domain import failure_group_id, failure_pattern
from automation_retry.entrypoints.lifecycle import migrate_database
from automation_retry.entrypoints.settings import read_settings
from tests.adapters.postgres.test_restore import restore
from tests.support.failure_messages import failure_messages
from tests.support.own_postgres import OwnPostgres, running_own_postgres
from tests.support.postgres_server import PostgresServer

A_RULE = UUID("3f2504e0-4f89-41d3-9a0c-0305e82c3301")
MESSAGES = (
    "Request failed with status code 503",
    "Request failed with status code 401",
    "connect ECONNREFUSED 10.0.0.1:5432",
    "connect ECONNREFUSED ::1:27017",
    "a backslash \\ and a quote '",
    "\u0130stanbul \u017ftatus 401 \U0001f600",
    None,
)

OF_ALL: LiteralString = """
SELECT automation_retry_failure_pattern(message), automation_retry_failure_group(%s, message)
FROM unnest(%s::text[]) WITH ORDINALITY AS m (message, position)
ORDER BY position
"""
AS_ALGAPSA: LiteralString = """
CREATE TABLE failures (rule uuid, message varchar, completed_at timestamp, started_at timestamptz);
CREATE INDEX by_group ON failures
    (automation_retry_failure_group(rule, message),
     automation_retry_failed_at(completed_at, started_at));
"""
OF_GROUP: LiteralString = """
SELECT message FROM failures WHERE automation_retry_failure_group(rule, message) = %s
"""

TIMES: LiteralString = """
INSERT INTO of_types VALUES (1, '2024-05-01 12:00Z', '2024-05-01 11:00Z'),
    (2, NULL, '2024-05-01 11:00Z'), (3, NULL, NULL);
CREATE INDEX ON of_types (automation_retry_failed_at(completed_at, started_at));
"""
FAILED_AT: LiteralString = """
SELECT automation_retry_failed_at(completed_at, started_at) FROM of_types ORDER BY position
"""
ELEVEN, NOON = (datetime(2024, 5, 1, hour, tzinfo=UTC) for hour in (11, 12))


def as_utc(time: datetime | None) -> datetime | None:
    return time and (time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC))


def computed(
    connection: psycopg.Connection, rule: UUID | None, messages: Sequence[str | None]
) -> list[tuple[str, str]]:
    """Pattern and id of the group of each."""
    rows = connection.execute(OF_ALL, [rule, [*messages]])
    return [(pattern, group_id(key)) for pattern, key in rows]


def expected(rule: UUID | None, messages: Sequence[str | None]) -> list[tuple[str, str]]:
    return [(failure_pattern(one), failure_group_id(rule, one)) for one in messages]


def in_index(connection: psycopg.Connection, message: str | None) -> set[str | None]:
    """The messages in the group of `message`, as the index alone finds them."""
    connection.execute("SET enable_seqscan = off")
    key = group_key(failure_group_id(A_RULE, message))
    plan = connection.execute(b"EXPLAIN " + OF_GROUP.encode(), [key]).fetchall()
    assert "by_group" in str(plan)
    return {found for (found,) in connection.execute(OF_GROUP, [key])}


@pytest.fixture(scope="module")
def connection(shared_database_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(shared_database_url, autocommit=True) as connection:
        yield connection


@settings(deadline=None)
@given(st.none() | st.uuids(), st.lists(failure_messages(), max_size=50))
@example(None, ["status 401<n> 12<n>", "4011<n>", "1234http 12", "12345678code 12345"])
@example(None, ["1920x1080", "0x1f", "code 1.5", "status:401", "\u00a0 a \x1f"])
@example(None, ["x" * 201, "😀" * 201, "1" * 998 + " xy", " " * 999 + "xy", " " * 1_000 + "x"])
@example(None, ["\n" * 9_999 + "xy", "\n" * 10_000 + "x"])
@example(None, ["abcdef0\\012", "\\", "\\x00", "\\\\n"])
def test_sql_agrees_with_python(
    connection: psycopg.Connection, rule: UUID | None, messages: list[str]
) -> None:
    assert computed(connection, rule, messages) == expected(rule, messages)


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
async def test_sql_agrees_whatever_the_locale(postgres_server: PostgresServer, locale: str) -> None:
    """In which letters of all scripts are letters, or only ASCII's."""
    name = f"test_{uuid4().hex}"
    postgres_server.execute(
        f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LOCALE '{locale}'"
    )
    url = postgres_server.url_of(name)
    await migrate_database(read_settings({"DATABASE_URL": url}))
    with psycopg.connect(url) as connection:
        assert computed(connection, A_RULE, MESSAGES) == expected(A_RULE, MESSAGES)


@pytest.mark.parametrize("setting", ["on", "off"])
async def test_sql_agrees_however_strings_are_read(empty_database_url: str, setting: str) -> None:
    """When the migration is applied."""
    url = f"{empty_database_url}&options=-c%20standard_conforming_strings%3D{setting}"
    await migrate_database(read_settings({"DATABASE_URL": url}))
    with psycopg.connect(empty_database_url) as connection:
        assert computed(connection, A_RULE, MESSAGES) == expected(A_RULE, MESSAGES)


@given(st.integers(min_value=-(2**63), max_value=2**63 - 1))
@example(0)
@example(-1)
def test_a_key_has_one_id(key: int) -> None:
    assert group_key(group_id(key)) == key


@pytest.mark.parametrize("completed_at", ["timestamptz", "timestamp"])
@pytest.mark.parametrize("started_at", ["timestamptz", "timestamp"])
def test_an_execution_failed_when_it_completed_or_else_started(
    connection: psycopg.Connection, completed_at: str, started_at: str
) -> None:
    """A time without a zone is in UTC, wherever the session is; no type loses its index."""
    columns = f"position integer, completed_at {completed_at}, started_at {started_at}"
    with connection.transaction(force_rollback=True):
        connection.execute("SET LOCAL TimeZone = 'Asia/Tokyo'")
        connection.execute(f"CREATE TABLE of_types ({columns})".encode())
        connection.execute(TIMES)
        rows = connection.execute(FAILED_AT).fetchall()

    assert [as_utc(at) for (at,) in rows] == [NOON, ELEVEN, None]


@pytest.mark.parametrize(
    "call",
    [
        "automation_retry_failure_pattern(message)",
        "automation_retry_failure_group(rule, message)",
        "automation_retry_failed_at(completed_at, started_at)",
        "automation_retry_failed_at(started_at, completed_at)",
        "automation_retry_failed_at(completed_at, completed_at)",
        "automation_retry_failed_at(started_at, started_at)",
    ],
)
def test_no_call_is_left_in_a_plan(connection: psycopg.Connection, call: str) -> None:
    """Calling an SQL function takes longer than most of what these do."""
    with connection.transaction(force_rollback=True):
        connection.execute(AS_ALGAPSA)
        plan = connection.execute(f"EXPLAIN VERBOSE SELECT {call} FROM failures".encode())

        assert "automation_retry" not in str(plan.fetchall())


def test_an_index_by_group_finds_the_failures_of_a_group(connection: psycopg.Connection) -> None:
    """Also after maintenance, which looks for nothing in the search_path."""
    with connection.transaction(force_rollback=True):
        connection.execute(AS_ALGAPSA)
        connection.cursor().executemany(
            "INSERT INTO failures VALUES (%s, %s)", [(A_RULE, one) for one in MESSAGES]
        )
        connection.execute("SET LOCAL search_path = ''")
        connection.execute("REINDEX INDEX public.by_group")
        connection.execute("SET LOCAL search_path = public")
        found = [in_index(connection, one) for one in MESSAGES]

    unreachable = set(MESSAGES[2:4])

    assert found[2:4] == [unreachable, unreachable]
    assert found[:2] + found[4:] == [{one} for one in MESSAGES if one not in unreachable]


@pytest.fixture
def own_server() -> Iterator[OwnPostgres]:
    with running_own_postgres() as server:
        yield server


async def test_an_index_by_group_survives_dump_and_restore(own_server: OwnPostgres) -> None:
    before = own_server.new_database("before")
    await migrate_database(read_settings({"DATABASE_URL": before}))
    with psycopg.connect(before) as connection:
        connection.execute(AS_ALGAPSA)
        connection.execute("INSERT INTO failures VALUES (%s, %s)", [A_RULE, MESSAGES[0]])
    after = await asyncio.to_thread(restore, own_server)
    with psycopg.connect(after) as connection:
        assert in_index(connection, MESSAGES[0]) == {MESSAGES[0]}
        assert computed(connection, A_RULE, MESSAGES) == expected(A_RULE, MESSAGES)


async def test_writing_an_indexed_row_takes_no_right_on_functions(own_server: OwnPostgres) -> None:
    """Even in a database that gives PUBLIC none on new ones: engines go on writing failures."""
    url = own_server.new_database("hardened")
    with psycopg.connect(url) as connection:
        connection.execute("ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC")
    await migrate_database(read_settings({"DATABASE_URL": url}))
    with psycopg.connect(url) as connection:
        connection.execute(AS_ALGAPSA)
        connection.execute("CREATE ROLE engine; GRANT INSERT ON failures TO engine")
    with psycopg.connect(url, options="-c role=engine") as engine:
        engine.execute("INSERT INTO failures VALUES (%s, %s)", [A_RULE, MESSAGES[0]])
    with psycopg.connect(url) as connection:
        assert in_index(connection, MESSAGES[0]) == {MESSAGES[0]}
