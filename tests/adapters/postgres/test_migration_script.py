"""`migrate --dry-run`: the SQL that would be run, for a person to read and to run."""

import json
import subprocess
from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest

from automation_retry.application import StorageUnavailable
from tests.support.command import run
from tests.support.indexes import (
    INDEXES,
    create_filled_table,
    execute,
    migrating,
    old_transaction,
    valid_indexes,
    warnings_of,
)
from tests.support.own_postgres import OwnPostgres, running_own_postgres


@pytest.fixture(scope="module")
def server() -> Iterator[OwnPostgres]:
    with running_own_postgres() as server:
        yield server


@pytest.fixture
def url(server: OwnPostgres) -> str:
    """An empty database."""
    return server.new_database(f"d{uuid4().hex}")


def dry_run(url: str) -> str:
    ended = run("migrate", "--dry-run", DATABASE_URL=url)
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout


def psql(server: OwnPostgres, url: str, script: str) -> None:
    """Stops at the first error."""
    command = [str(server.bin_dir / "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", url]
    subprocess.run(command, input=script, text=True, capture_output=True, check=True)


def objects(url: str) -> list[tuple[str, ...]]:
    """All relations, columns and functions that are not PostgreSQL's own."""
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(
            "SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull::text,"
            " pg_get_indexdef(i.indexrelid), i.indisvalid::text"
            " FROM pg_class c LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0"
            " LEFT JOIN pg_index i ON i.indexrelid = c.oid"
            " WHERE c.relnamespace = 'public'::regnamespace"
            " UNION ALL SELECT proname, pg_get_functiondef(oid), NULL, NULL, NULL, NULL"
            " FROM pg_proc WHERE pronamespace = 'public'::regnamespace ORDER BY 1, 2, 3"
        ).fetchall()


@pytest.mark.parametrize("rows", [None, 0, 100], ids=["fresh", "empty table", "filled table"])
async def test_applied_by_hand_it_leaves_nothing_to_migrate(
    server: OwnPostgres, url: str, rows: int | None
) -> None:
    """By psql, and it makes the same as `migrate` does."""
    other = server.new_database(f"d{uuid4().hex}")
    for one in (url, other):
        if rows is not None:
            create_filled_table(one, rows, status="varchar(20)")
    before = objects(url)
    script = dry_run(url)
    untouched = objects(url) == before

    psql(server, url, script)
    by_migrate, _ = migrating(other)
    await by_migrate

    assert untouched
    assert dry_run(url) == "-- up to date\n"
    assert run("migrate", DATABASE_URL=url).stdout == "up to date\n"
    assert objects(url) == objects(other)
    assert await warnings_of(url) == []
    assert ("CONCURRENTLY" in script) == (rows is not None)


async def test_only_what_is_due_is_printed(server: OwnPostgres, url: str) -> None:
    """An index whose build was interrupted is dropped and built, in that order; the rest stays."""
    migrated, _ = migrating(url)
    await migrated
    execute(url, f"DROP INDEX {INDEXES[1]}")
    execute(url, "DELETE FROM automation_retry_migrations WHERE name = '0005_delivery_status'")
    async with old_transaction(url):
        building, told = migrating(url)
        await told.until("has to end first")
        execute(
            url,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_progress_create_index",
        )
        with pytest.raises(StorageUnavailable):
            await building
    execute(url, "DELETE FROM automation_retry_migrations WHERE name = '0005_delivery_status'")

    script = dry_run(url)
    psql(server, url, script)

    lines = [line for line in script.splitlines() if INDEXES[1] in line]
    assert [line.split(" IF ")[0] for line in lines] == [
        "DROP INDEX CONCURRENTLY",
        "CREATE INDEX CONCURRENTLY",
    ]
    assert [line for line in script.splitlines() if line.startswith("-- 0")] == [
        "-- 0005_delivery_status"
    ]
    assert script.index("COMMIT;") < script.index("DROP INDEX CONCURRENTLY")
    assert not [name for name in INDEXES if name != INDEXES[1] and name in script]
    assert "procrastinate" not in script
    assert valid_indexes(url) == {*INDEXES}


def test_a_dry_run_as_json(url: str) -> None:
    """The script in one field; null when nothing is due."""
    due = json.loads(run("migrate", "--dry-run", "--json", DATABASE_URL=url).stdout)
    applied = json.loads(run("migrate", "--json", DATABASE_URL=url).stdout)
    done = json.loads(run("migrate", "--dry-run", "--json", DATABASE_URL=url).stdout)

    assert due["sql"].startswith("BEGIN;\n")
    assert applied["applied"][-1] == "procrastinate"
    assert done == {"sql": None}


def test_a_dry_run_refuses_what_migrate_refuses(url: str) -> None:
    """In the same words."""
    execute(url, "CREATE TABLE users (id integer)")

    dry, real = [run("migrate", *options, DATABASE_URL=url) for options in (["--dry-run"], [])]

    assert "The table users has no column" in dry.stderr
    assert (dry.returncode, dry.stdout, dry.stderr) == (1, "", real.stderr)


def test_a_dry_run_needs_no_right_to_write(server: OwnPostgres, url: str) -> None:
    """Somebody else may apply the script."""
    server.execute("DROP ROLE IF EXISTS looker", "CREATE ROLE looker LOGIN PASSWORD 'l'")
    create_filled_table(url)
    run("migrate", DATABASE_URL=url)
    execute(url, f"DROP INDEX {INDEXES[0]}")
    execute(
        url, "GRANT SELECT ON automation_retry_migrations, automation_retry_procrastinate TO looker"
    )

    script = dry_run(server.url("looker", "l", url.rpartition("/")[2]))

    assert f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {INDEXES[0]} ON" in script
