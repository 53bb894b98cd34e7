"""Builds of indexes that did not end, and indexes that are not there."""

import asyncio
import signal
import time

import psycopg
import pytest
from structlog.testing import capture_logs

from automation_retry.entrypoints.lifecycle import migrate_database
from automation_retry.entrypoints.settings import read_settings
from tests.support.command import COMMAND, Running, run, running
from tests.support.indexes import (
    INDEXES,
    create_filled_table,
    execute,
    migrating,
    old_transaction,
    valid_indexes,
    warnings_of,
)
from tests.support.world import running_service


async def waiting_build(url: str, migrate: Running) -> int:
    """Returns when the command waits in a build; the process id of the session that builds."""
    await asyncio.to_thread(migrate.until, "has to end first")
    with psycopg.connect(url, autocommit=True) as connection:
        rows = connection.execute("SELECT pid FROM pg_stat_progress_create_index").fetchall()
    [(pid,)] = rows
    return int(pid)


@pytest.mark.parametrize(
    ("interruption", "status"),
    [("kill", -signal.SIGKILL), ("Ctrl-C", 1), ("SIGTERM", 128 + signal.SIGTERM), ("lost", 1)],
)
async def test_an_interrupted_build_is_resumed(
    empty_database_url: str, interruption: str, status: int
) -> None:
    """However it ended: the session on the server ends too, and the next `migrate` begins again."""
    create_filled_table(empty_database_url)
    async with old_transaction(empty_database_url):
        with running([COMMAND, "migrate"], {"DATABASE_URL": empty_database_url}) as migrate:
            pid = await waiting_build(empty_database_url, migrate)
            if interruption == "lost":
                execute(empty_database_url, f"SELECT pg_terminate_backend({pid})")
            else:
                number = {"kill": signal.SIGKILL, "Ctrl-C": signal.SIGINT}
                migrate.process.send_signal(number.get(interruption, signal.SIGTERM))
            printed = await asyncio.to_thread(migrate.process.communicate)
        async with asyncio.timeout(30):
            while session_exists(empty_database_url, pid):
                await asyncio.to_thread(time.sleep, 0.05)
        before = valid_indexes(empty_database_url)
        warnings = await warnings_of(empty_database_url)
    resumed, told = migrating(empty_database_url)
    built = await resumed

    assert migrate.process.returncode == status
    assert "Traceback" not in str(printed)
    assert before == set()
    [warning] = warnings
    assert warning == (
        f"automation_executions lacks {', '.join(INDEXES)}, or it is not built completely, so lists"
        " and failure groups are slow; run `automation-retry migrate`."
    )
    assert told.lines[0] == f"dropping {INDEXES[0]}, whose build was interrupted"
    assert built == INDEXES
    assert valid_indexes(empty_database_url) == {*INDEXES}


def session_exists(url: str, pid: int) -> bool:
    with psycopg.connect(url, autocommit=True) as connection:
        query = "SELECT FROM pg_stat_activity WHERE pid = %s"
        return connection.execute(query, (pid,)).rowcount > 0


async def test_a_build_that_somebody_cancels_is_told(empty_database_url: str) -> None:
    """In one line, without a traceback; what was built before stays."""
    create_filled_table(empty_database_url)
    with running([COMMAND, "migrate"], {"DATABASE_URL": empty_database_url}) as migrate:
        async with old_transaction(empty_database_url):
            pid = await waiting_build(empty_database_url, migrate)
            execute(empty_database_url, f"SELECT pg_cancel_backend({pid})")
            printed, _ = await asyncio.to_thread(migrate.process.communicate)

    assert migrate.process.returncode == 1
    assert printed == (
        f"Error: The index {INDEXES[0]} cannot be built: canceling statement due to user request."
        " Migrate again to go on.\n"
    )


async def test_a_lost_index_is_told_and_built_again(database_url: str) -> None:
    """The service is ready without it, beside which it is built."""
    execute(database_url, f"DROP INDEX {INDEXES[2]}")
    async with running_service({"DATABASE_URL": database_url}) as world:
        before = await world.client.get("/readyz")
        built, _ = migrating(database_url)
        names = await built
        after = await world.client.get("/readyz")

    assert before.status_code == 200
    [warning] = before.json()["data"]["warnings"]
    assert warning.startswith(f"automation_executions lacks {INDEXES[2]}, or it is not built")
    assert names == [INDEXES[2]]
    assert after.json() == {"data": {"status": "ready"}}


async def test_a_build_that_nobody_watches_is_logged(database_url: str) -> None:
    """As that of an embedded database, whose service starts when it has ended."""
    execute(database_url, f"DROP INDEX {INDEXES[0]}")

    with capture_logs() as lines:
        await migrate_database(read_settings({"DATABASE_URL": database_url}))

    steps = [line["step"] for line in lines if line["event"] == "migration"]
    assert len(steps) == 2
    assert steps[0].startswith(f"building {INDEXES[0]} on ")
    assert steps[1].startswith(f"applied {INDEXES[0]} in ")


@pytest.mark.parametrize(
    ("other", "found"),
    [
        (
            f"CREATE INDEX {INDEXES[1]} ON automation_executions (tenant, automation_rule_id)",
            "btree (tenant, automation_rule_id)",
        ),
        (
            f"CREATE INDEX {INDEXES[1]} ON automation_executions (tenant, started_at DESC)",
            "started_at DESC",
        ),
        (f"CREATE INDEX {INDEXES[1]} ON users (tenant)", "users"),
        (f"CREATE TABLE {INDEXES[1]} ()", "which is no index"),
    ],
)
async def test_something_else_of_that_name_is_told_and_left(
    database_url: str, other: str, found: str
) -> None:
    """By `migrate`, which builds the others, and by `/readyz`, which is ready."""
    execute(database_url, f"DROP INDEX {INDEXES[1]}")
    execute(database_url, f"DROP INDEX {INDEXES[3]}")
    execute(database_url, other)

    ended = await asyncio.to_thread(run, "migrate", DATABASE_URL=database_url)
    again = await asyncio.to_thread(run, "migrate", DATABASE_URL=database_url)

    [told, *others] = ended.stdout.splitlines()
    assert told.startswith(f"{INDEXES[1]} exists with another definition (")
    assert found in told
    assert told.endswith("; rename or drop it, then run `automation-retry migrate`.")
    assert others[-1].startswith(f"applied {INDEXES[3]} in ")
    assert (ended.returncode, again.returncode) == (0, 0)
    assert again.stdout == f"{told}\n"
    assert await warnings_of(database_url) == [told]


async def test_an_index_that_is_stored_otherwise_is_the_same(database_url: str) -> None:
    """A fill factor or a tablespace is for the administrator to choose."""
    execute(database_url, f"ALTER INDEX {INDEXES[3]} SET (fillfactor = 80)")

    assert await warnings_of(database_url) == []
