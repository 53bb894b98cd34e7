"""Which types of columns work, under any settings of the session, and that others are refused."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import LiteralString
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from automation_retry.adapters.postgres.sql.column_types import SUPPORTED
from automation_retry.application import SchemaRefused
from automation_retry.entrypoints.lifecycle import migrate_database, open_container
from automation_retry.entrypoints.settings import read_settings
from tests.support.command import run
from tests.support.foreign_rows import ForeignRows, create_table, create_types, foreign_rows
from tests.support.world import EXECUTIONS

TABLES = [
    pytest.param({}, id="as documented"),
    pytest.param({"started_at": "timestamp", "completed_at": "timestamp"}, id="without zone"),
    pytest.param({"started_at": "timestamptz(3)", "completed_at": "timestamptz(3)"}, id="ms"),
    pytest.param({"started_at": "timestamp(0)", "completed_at": "timestamptz(0)"}, id="seconds"),
    pytest.param({"duration_ms": "real"}, id="real"),
    pytest.param({"duration_ms": "numeric(12,3)"}, id="numeric(12,3)"),
    pytest.param({"duration_ms": "bigint", "actions_failed": "smallint"}, id="whole numbers"),
    pytest.param({"duration_ms": "milliseconds", "status": "state"}, id="domains"),
    pytest.param({"status": "execution_status"}, id="enumerated status"),
    pytest.param({"status": "varchar(20)", "error_message": "varchar(255)"}, id="varchar"),
    pytest.param({"retry_count": "bigint", "actions_total": "bigint"}, id="bigint counts"),
]
SETTINGS: list[tuple[str, ...]] = [
    (),
    ("timezone = 'America/St_Johns'", "datestyle = 'German, DMY'", "extra_float_digits = -15"),
    ("timezone = 'Pacific/Kiritimati'", "datestyle = 'SQL, MDY'", "intervalstyle = 'sql_standard'"),
]
STARTED = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


@pytest.mark.parametrize("settings", SETTINGS, ids=["defaults", "German", "SQL"])
@pytest.mark.parametrize("types", TABLES)
async def test_the_answer_is_what_is_stored(
    empty_database_url: str, types: dict[str, str], settings: tuple[str, ...]
) -> None:
    """200, never 409; times without a zone are in UTC, and what is cleared is archived exactly."""
    create_types(empty_database_url)
    create_table(empty_database_url, **types)
    async with foreign_rows(empty_database_url, settings=settings) as rows:
        execution = _failed(rows, types)
        [before] = rows.execute(
            "SELECT extract(epoch FROM started_at)::text AS started_at,"
            " duration_ms::double precision AS duration_ms"
            " FROM automation_executions"
        )
        read = await rows.world.get(f"{EXECUTIONS}/{execution}", rows.key)
        retried = await rows.world.retry(execution, rows.key, idempotency_key="k")
        replayed = await rows.world.retry(execution, rows.key, idempotency_key="k")
        again = await rows.world.get(f"{EXECUTIONS}/{execution}", rows.key)
        attempts = await rows.world.get(f"{EXECUTIONS}/{execution}/attempts", rows.key)
        [archived] = rows.archived(execution)

    assert (read.status_code, retried.status_code) == (200, 200)
    data = read.json()["data"]
    assert abs(datetime.fromisoformat(data["started_at"]) - STARTED) < timedelta(seconds=1)
    assert data["duration_ms"] == pytest.approx(float(before["duration_ms"]))
    answer, stored = retried.json()["data"], again.json()["data"]
    assert {**answer, "_links": None} == {**stored, "_links": None}
    assert (answer["status"], answer["retry_count"]) == ("pending", 1)
    assert replayed.content == retried.content
    assert archived["started_at"] == before["started_at"]
    assert archived["duration_ms"] == float(before["duration_ms"])
    assert attempts.json()["data"][0]["started_at"] == data["started_at"]


def _failed(rows: ForeignRows, types: dict[str, str]) -> UUID:
    zone = "" if types.get("started_at", "").startswith("timestamp(") else "+00"
    zone = "" if types.get("started_at") == "timestamp" else zone
    return rows.insert(
        started_at=f"2026-01-02 03:04:05.678901{zone}",
        completed_at=f"2026-01-02 03:04:08.678901{zone}",
        duration_ms=1234.567 if types.get("duration_ms") != "bigint" else 1234,
        actions_successful=2,
        actions_failed=1,
        error_message="disk full",
        failed_action_index=2,
    )


REFUSED: list[tuple[str, str]] = [
    ("execution_id", "text"),
    ("tenant", "varchar(36)"),
    ("automation_rule_id", "bigint"),
    ("status", "integer"),
    ("started_at", "date"),
    ("completed_at", "bigint"),
    ("duration_ms", "interval"),
    ("actions_total", "numeric"),
    ("actions_failed", "double precision"),
    ("error_message", "jsonb"),
    ("logs", "json"),
    ("trigger_data", "text"),
    ("execution_context", "bytea"),
    ("retry_count", "text"),
]


@pytest.mark.parametrize(("column", "type_"), REFUSED)
async def test_other_types_are_refused(
    empty_database_url: str, column: str, type_: LiteralString
) -> None:
    """By `migrate`, which applies nothing, naming the column and its type."""
    create_table(empty_database_url, **{column: type_})

    with pytest.raises(SchemaRefused) as refused:
        await migrate_database(read_settings({"DATABASE_URL": empty_database_url}))

    problem, _ = refused.value.problems
    shown = type_.replace("varchar", "character varying")
    assert problem.startswith(
        f"The column automation_executions.{column} has the type {shown}; this service works with "
    )
    with psycopg.connect(empty_database_url) as connection:
        assert connection.execute("SELECT to_regclass('automation_outbox')").fetchone() == (None,)


async def test_readiness_refuses_a_type_that_was_changed_later(database_url: str) -> None:
    """With the same sentence."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("ALTER TABLE automation_executions ALTER COLUMN logs TYPE text")
    settings = read_settings({"DATABASE_URL": database_url, "AUTOMATION_RETRY_RELAY": "false"})
    async with open_container(settings) as container:
        problem, advice = (await container.readiness()()).problems

    assert advice.startswith("Change what does not fit, or give this service a schema of its own: ")
    assert problem.startswith("The column automation_executions.logs has the type text; ")


async def test_an_enumerated_status_needs_the_states_of_a_retry(empty_database_url: str) -> None:
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute("CREATE TYPE states AS ENUM ('failed', 'done')")
    create_table(empty_database_url, status="states")

    with pytest.raises(SchemaRefused, match="lacks the value pending"):
        await migrate_database(read_settings({"DATABASE_URL": empty_database_url}))


OTHERS: list[tuple[LiteralString, str]] = [
    (
        "CREATE TABLE users (id bigserial PRIMARY KEY, login text)",
        "The table users has no column is_inactive, tenant, user_id, so it is another program's. ",
    ),
    (
        "CREATE TABLE roles (tenant text, role_id uuid)",
        "The column roles.tenant has the type text; this service works with uuid. ",
    ),
    (
        "CREATE VIEW automation_executions AS SELECT gen_random_uuid() AS tenant",
        "automation_executions is a view, and this service needs a table. Change what",
    ),
    (
        "CREATE MATERIALIZED VIEW automation_executions AS SELECT 1 AS tenant",
        "automation_executions is a materialized view, and this service needs a table. ",
    ),
]


@pytest.mark.parametrize(("statement", "problem"), OTHERS)
def test_tables_of_other_programs_are_refused(
    empty_database_url: str, statement: LiteralString, problem: str
) -> None:
    """In lines that say what to do, and status 1."""
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute(statement)

    ended = run("migrate", DATABASE_URL=empty_database_url)

    assert ended.returncode == 1
    assert problem in ended.stderr
    assert "Traceback" not in ended.stderr


def test_tables_of_another_owner_are_refused(empty_database_url: str) -> None:
    """In one line that says what to do."""
    create_table(empty_database_url)
    role = f"r{uuid4().hex}"
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute(SQL("CREATE ROLE {}").format(Identifier(role)))
        connection.execute(SQL("GRANT CREATE ON SCHEMA public TO {}").format(Identifier(role)))

    ended = run("migrate", DATABASE_URL=f"{empty_database_url}&options=-crole%3D{role}")

    assert ended.returncode == 1
    assert ended.stderr.strip().splitlines()[-1] == (
        "Error: The migration 0002_executions cannot be applied: must be owner of table "
        "automation_executions. Migrate as the table's owner."
    )


async def test_a_schema_of_its_own_is_a_way_out(empty_database_url: str) -> None:
    """As the sentence about another program's table says."""
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE users (id bigserial PRIMARY KEY, login text)")
        connection.execute("CREATE SCHEMA automation_retry")
    url = f"{empty_database_url}&options=-csearch_path%3Dautomation_retry"

    async with foreign_rows(url) as rows:
        execution = rows.insert()
        answer = await rows.world.retry(execution, rows.key)
        ready = await rows.world.client.get("/readyz")

    assert (answer.status_code, ready.status_code) == (200, 200)


REFUSING: list[tuple[LiteralString, str]] = [
    (
        "CREATE RULE theirs AS ON UPDATE TO automation_executions DO INSTEAD NOTHING",
        "The table automation_executions has a rule ON UPDATE, with which PostgreSQL refuses the",
    ),
    (
        "ALTER TABLE automation_executions ALTER COLUMN error_stack SET NOT NULL",
        "A retry sets automation_executions.error_stack to NULL, which it excludes; run: ALTER",
    ),
    (
        """ALTER TABLE automation_executions DROP COLUMN duration_ms,
        ADD COLUMN duration_ms integer GENERATED ALWAYS AS (actions_total) STORED""",
        "The column automation_executions.duration_ms is generated, so no retry can set it.",
    ),
    (
        """CREATE DOMAIN some_text AS text NOT NULL;
        ALTER TABLE automation_executions ADD COLUMN theirs some_text DEFAULT ''""",
        "A column of automation_executions has a domain that is NOT NULL, so a retry cannot make",
    ),
]


@pytest.mark.parametrize(("statement", "problem"), REFUSING)
async def test_what_makes_every_retry_fail_is_named(
    database_url: str, statement: LiteralString, problem: str
) -> None:
    """By readiness and by `migrate`."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(statement)
    settings = read_settings({"DATABASE_URL": database_url, "AUTOMATION_RETRY_RELAY": "false"})
    async with open_container(settings) as container:
        [found] = (await container.readiness()()).problems

    assert found.startswith(problem)
    with pytest.raises(SchemaRefused) as refused:
        await migrate_database(settings)
    assert refused.value.problems == [found]


async def test_a_type_may_change_while_the_service_runs(database_url: str) -> None:
    """Statements that were prepared before are prepared anew."""
    async with foreign_rows(database_url) as rows:
        executions = [rows.insert() for _ in range(30)]
        link = f"{EXECUTIONS}/{executions[0]}"
        answers = []
        for number, execution in enumerate(executions):
            if number % 10 == 9:
                type_ = ("timestamp", "timestamptz(3)", "timestamptz")[number // 10]
                rows.execute(f"ALTER TABLE automation_executions ALTER started_at TYPE {type_}")
            answers.append(await rows.world.retry(execution, rows.key))
            answers.append(await rows.world.get(link, rows.key))

    assert {answer.status_code for answer in answers} == {200}


def test_the_readme_lists_the_types() -> None:
    """One row for each group of columns of `automation_executions`."""
    readme = (Path(__file__).parents[3] / "README.md").read_text("utf-8")
    table = readme.partition("| columns | types |")[2].partition("\n\n")[0]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines()[2:]]
    listed = {
        column.strip("` "): {one.strip() for one in types.split(",")}
        for columns, types in rows
        for column in columns.split(",")
    }
    shown = {
        "varchar": "varchar", "bpchar": "char(n)", "int2": "smallint", "int4": "integer",
        "int8": "bigint", "float4": "real", "float8": "double precision",
    }  # fmt: skip

    assert listed == {
        column: {shown.get(one, one) for one in types}
        for column, types in SUPPORTED["automation_executions"].items()
    }
