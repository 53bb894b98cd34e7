"""A database is dumped with messages that wait, and restored elsewhere."""

import asyncio
import subprocess
from collections.abc import Iterator

import psycopg
import pytest

from automation_retry.entrypoints.lifecycle import migrate_database
from automation_retry.entrypoints.settings import read_settings
from tests.support.factories import a_failed_execution
from tests.support.indexes import INDEXES, valid_indexes
from tests.support.own_postgres import OwnPostgres, running_own_postgres
from tests.support.redis_server import RedisServer
from tests.support.world import running_service


@pytest.fixture
def server() -> Iterator[OwnPostgres]:
    with running_own_postgres() as server:
        server.new_database("before")
        yield server


def restore(server: OwnPostgres) -> str:
    """The URL of a copy that went through a dump."""
    url = server.new_database("after", template="template0")
    dump = [str(server.bin_dir / "pg_dump"), "--no-owner", server.url(database="before")]
    script = subprocess.run(dump, capture_output=True, check=True).stdout
    load = [str(server.bin_dir / "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", url]
    subprocess.run(load, input=script, capture_output=True, check=True)
    return url


async def test_messages_of_a_dump_are_delivered(
    server: OwnPostgres, shared_redis: RedisServer
) -> None:
    """Each once more; retries of before are not done again, and later ones follow in order."""
    variables = {
        "DATABASE_URL": server.url(database="before"),
        "AUTOMATION_RETRY_RELAY": "false",
        "AUTOMATION_RETRY_JOB_QUEUE": "redis",
        "AUTOMATION_RETRY_EVENT_BUS": "procrastinate",
        "AUTOMATION_RETRY_REDIS_URL": shared_redis.url,
        "REDIS_PREFIX": "restore:",
    }
    await migrate_database(read_settings(variables))
    async with running_service(variables) as world:
        key = await world.key()
        executions = [await world.add(a_failed_execution(tenant=world.tenant)) for _ in range(5)]
        first = [
            await world.retry(one.execution_id, key, idempotency_key=str(one.execution_id))
            for one in executions
        ]
    url = await asyncio.to_thread(restore, server)
    async with running_service(
        {**variables, "DATABASE_URL": url, "AUTOMATION_RETRY_RELAY": "true"}
    ) as world:
        again = [
            await world.retry(one.execution_id, key, idempotency_key=str(one.execution_id))
            for one in executions
        ]
        ready = await world.client.get("/readyz")
        async with asyncio.timeout(30):
            while await asyncio.to_thread(server.count, "automation_outbox", "after"):
                pass
    migrated = await migrate_database(read_settings({**variables, "DATABASE_URL": url}))
    with psycopg.connect(url) as connection:
        events = connection.execute("SELECT args ->> 'id' FROM procrastinate_jobs").fetchall()
        attempts = connection.execute("SELECT FROM automation_failed_attempts").rowcount

    assert [answer.status_code for answer in first] == [200] * 5
    assert [answer.json() for answer in again] == [answer.json() for answer in first]
    assert {answer.headers["idempotent-replayed"] for answer in again} == {"true"}
    assert ready.json() == {"data": {"status": "ready"}}
    assert migrated == []
    assert valid_indexes(url) == {*INDEXES}
    assert len(set(events)) == 5
    assert attempts == 5


async def test_a_long_transaction_holds_up_nothing(server: OwnPostgres) -> None:
    """As a backup has: retries, the relay and probes go on beside it."""
    variables = {"DATABASE_URL": server.url(database="before")}
    await migrate_database(read_settings(variables))
    connecting = psycopg.AsyncConnection.connect(variables["DATABASE_URL"])
    async with running_service(variables) as world, await connecting as backup:
        await backup.set_isolation_level(psycopg.IsolationLevel.REPEATABLE_READ)
        await backup.execute("SELECT count(*) FROM automation_executions")
        key = await world.key()
        executions = [await world.add(a_failed_execution(tenant=world.tenant)) for _ in range(100)]
        answers = await asyncio.gather(*[world.retry(one.execution_id, key) for one in executions])
        again = await asyncio.gather(*[world.retry(one.execution_id, key) for one in executions])
        migrated = await migrate_database(read_settings(variables))
        ready = await world.client.get("/readyz")
        seen = await backup.execute("SELECT FROM procrastinate_jobs")

    assert [answer.status_code for answer in answers] == [200] * 100
    assert [answer.status_code for answer in again] == [400] * 100
    assert migrated == []
    assert ready.status_code == 200
    assert seen.rowcount == 0
