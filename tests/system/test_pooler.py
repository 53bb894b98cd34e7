"""Behind pgbouncer, with its defaults."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any, LiteralString

import psycopg
import pytest
from attrs import frozen

from automation_retry.adapters.postgres import Database
from automation_retry.adapters.postgres.limited_queries import LimitedQueries
from automation_retry.application import QueryTooBroad
from automation_retry.entrypoints.lifecycle import migrate_database
from automation_retry.entrypoints.settings import read_settings
from tests.support.factories import a_failed_execution
from tests.support.pgbouncer import PgBouncer, running_pgbouncer
from tests.support.postgres_server import PostgresServer, running_server
from tests.support.world import EXECUTIONS, World, running_service

PATIENCE_S = 30


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """Without a pooler."""
    with running_server() as server:
        yield server


@frozen
class Pooled:
    """A migrated database and a pooler before it."""

    direct_url: str
    pooler: PgBouncer

    @property
    def url(self) -> str:
        return self.pooler.before(self.direct_url)


@asynccontextmanager
async def pooled(server: PostgresServer, **settings: str) -> AsyncIterator[Pooled]:
    url = server.new_database()
    with running_pgbouncer(url, **settings) as pooler:
        one = Pooled(url, pooler)
        await migrate_database(read_settings({"DATABASE_URL": one.url}))
        yield one


async def retried_and_read(world: World, count: int) -> list[int]:
    """Statuses of retries and reads that arrive together."""
    key = await world.key()
    executions = [await world.add(a_failed_execution(tenant=world.tenant)) for _ in range(count)]
    answers = await asyncio.gather(
        *[world.retry(one.execution_id, key) for one in executions],
        *[world.get(f"{EXECUTIONS}/{one.execution_id}", key) for one in executions],
        *[world.get(f"{EXECUTIONS}/{one.execution_id}/attempts", key) for one in executions],
        *[world.get(f"{EXECUTIONS}?limit=1", key) for _ in executions],
    )
    return [answer.status_code for answer in answers]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"pool_mode": "session"},
        {"ignore_startup_parameters": "options,extra_float_digits"},
        {"default_pool_size": "1"},
        {"server_reset_query_always": "1"},
    ],
    ids=str,
)
async def test_statements_of_several_services_do_not_mix(
    server: PostgresServer, settings: dict[str, str]
) -> None:
    """Three services and another program use the same sessions: every answer is the right one."""
    async with pooled(server, **settings) as one:
        variables = {"DATABASE_URL": one.url}
        if settings.get("default_pool_size"):
            variables["AUTOMATION_RETRY_POOL_MAX_SIZE"] = "2"
        async with (
            running_service(variables) as first,
            running_service(variables) as second,
            running_service(variables) as third,
        ):
            found = await asyncio.gather(
                *[retried_and_read(world, 15) for world in (first, second, third) * 2]
            )
            ready = [await world.client.get("/readyz") for world in (first, second, third)]

    assert found == [[200] * 60] * 6
    assert [answer.json() for answer in ready] == [{"data": {"status": "ready"}}] * 3


async def test_nothing_stays_in_a_session(server: PostgresServer) -> None:
    """Neither settings nor prepared statements, whoever uses it next."""
    async with pooled(server, default_pool_size="1") as one:
        variables = {"DATABASE_URL": one.url, "AUTOMATION_RETRY_POOL_MAX_SIZE": "2"}
        async with running_service(variables) as world:
            await retried_and_read(world, 10)
            with psycopg.connect(one.url, prepare_threshold=None, autocommit=True) as connection:
                prepared = connection.execute("SELECT FROM pg_prepared_statements").rowcount
                changed = connection.execute(
                    "SELECT name FROM pg_settings WHERE source = 'session'"
                    " AND name NOT IN ('client_encoding', 'application_name')"
                ).fetchall()

    assert prepared == 0
    assert changed == []


async def test_what_takes_too_long_is_stopped(server: PostgresServer) -> None:
    """By a limit that does not stay in the session, whoever uses it next."""
    timeout: LiteralString = "SELECT current_setting('statement_timeout') AS timeout"
    async with pooled(server, default_pool_size="1") as one:
        database = Database(one.url)
        await database.open()
        before = await database.fetch(timeout, {})
        queries = LimitedQueries(database, seconds=0.2)
        with pytest.raises(QueryTooBroad):
            await queries.fetch("SELECT pg_sleep(60)", {})
        within = await queries.fetch(timeout, {})
        after = await database.fetch(timeout, {})
        await database.close()

    assert within == [{"timeout": "200ms"}]
    assert after == before


@pytest.mark.parametrize("pooler", ["auto", "transaction"])
async def test_a_pooler_is_recognised_or_named(server: PostgresServer, pooler: str) -> None:
    """By the process id, which is not that of PostgreSQL."""
    async with pooled(server) as one:
        variables = {"DATABASE_URL": one.url, "AUTOMATION_RETRY_POOLER": pooler}
        async with (
            running_service(variables) as world,
            world.container.database().connection() as connection,
        ):
            assert not connection.own_session
            assert connection.prepare_threshold is None


async def test_a_claim_has_time_limits_of_its_own(server: PostgresServer) -> None:
    """Until its transaction ends: what a relay that vanished has locked becomes free."""
    show = "SELECT current_setting('idle_in_transaction_session_timeout') AS limit"
    async with pooled(server) as one, running_service({"DATABASE_URL": one.url}) as world:
        database = world.container.database()
        async with database.claiming() as connection:
            during = await (await connection.execute(show)).fetchone()
        after = await database.fetch(show, {})

    assert during == {"limit": "1min"}
    assert after == [{"limit": "0"}]


async def test_session_mode_may_be_named(server: PostgresServer) -> None:
    """Then sessions have our time limits, and statements are prepared."""
    async with pooled(server, pool_mode="session") as one:
        variables = {"DATABASE_URL": one.url, "AUTOMATION_RETRY_POOLER": "session"}
        async with running_service(variables) as world:
            statuses = await retried_and_read(world, 20)
            async with world.container.database().connection() as connection:
                cursor = await connection.execute("SHOW lock_timeout")
                row = await cursor.fetchone()
                prepares = connection.prepare_threshold

    assert statuses == [200] * 80
    assert row == {"lock_timeout": "10s"}
    assert prepares == 5


async def test_too_few_server_connections(server: PostgresServer) -> None:
    """503 in time while others have them all, and nothing is written; then it goes on."""
    async with pooled(server, default_pool_size="1") as one:
        variables = {
            "DATABASE_URL": one.url,
            "AUTOMATION_RETRY_RELAY": "false",
            "AUTOMATION_RETRY_REQUEST_TIMEOUT_MS": "1500",
        }
        async with running_service(variables) as world:
            key = await world.key()
            execution = await world.add(a_failed_execution(tenant=world.tenant))
            holding = await psycopg.AsyncConnection.connect(one.url, prepare_threshold=None)
            async with holding, asyncio.timeout(PATIENCE_S):
                await holding.execute("SELECT 1")
                refused = await asyncio.gather(
                    *[world.retry(execution.execution_id, key) for _ in range(20)]
                )
                ready = await world.client.get("/readyz")
            async with asyncio.timeout(PATIENCE_S):
                while (answer := await world.retry(execution.execution_id, key)).status_code == 503:
                    pass
            attempts = await world.get(f"{EXECUTIONS}/{execution.execution_id}/attempts", key)

    assert {one.status_code for one in refused} == {503}
    assert ready.status_code == 503
    assert answer.status_code == 200
    assert attempts.json()["pagination"]["total"] == 1


async def test_a_statement_that_was_given_up_ends(server: PostgresServer) -> None:
    """The pooler passes the cancel request on: nothing waits for a lock without a caller."""
    async with pooled(server) as one:
        variables = {
            "DATABASE_URL": one.url,
            "AUTOMATION_RETRY_RELAY": "false",
            "AUTOMATION_RETRY_REQUEST_TIMEOUT_MS": "1000",
        }
        async with running_service(variables) as world:
            key = await world.key()
            execution = await world.add(a_failed_execution(tenant=world.tenant))
            locking = await psycopg.AsyncConnection.connect(one.direct_url)
            async with locking:
                await locking.execute("SELECT FROM automation_executions FOR UPDATE")
                refused = await world.retry(execution.execution_id, key)
                async with asyncio.timeout(PATIENCE_S):
                    while await lock_waits(one.direct_url):
                        pass
            unchanged = await world.get(f"{EXECUTIONS}/{execution.execution_id}", key)
            accepted = await world.retry(execution.execution_id, key)

    assert refused.status_code == 503
    assert unchanged.json()["data"]["status"] == "failed"
    assert accepted.status_code == 200


async def lock_waits(url: str) -> int:
    connecting = psycopg.AsyncConnection.connect(url, autocommit=True)
    async with await connecting as connection:
        cursor = await connection.execute(
            "SELECT FROM pg_stat_activity"
            " WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        return cursor.rowcount


async def test_a_pooler_that_is_restarted(server: PostgresServer) -> None:
    """503 while it is away; back without a restart of the service."""
    async with pooled(server) as one:
        variables = {
            "DATABASE_URL": one.url,
            "AUTOMATION_RETRY_POOL_TIMEOUT_MS": "500",
        }
        async with running_service(variables) as world:
            before = await retried_and_read(world, 5)
            key = await world.key()
            execution = await world.add(a_failed_execution(tenant=world.tenant))
            await asyncio.to_thread(one.pooler.kill)
            refused = await world.retry(execution.execution_id, key)
            await asyncio.to_thread(one.pooler.start)
            async with asyncio.timeout(5):
                while (await world.retry(execution.execution_id, key)).status_code != 200:
                    pass

    assert before == [200] * 20
    assert refused.status_code == 503


async def test_options_that_the_pooler_refuses_are_named(server: PostgresServer) -> None:
    """With what to do instead."""
    async with pooled(server) as one:
        variables = {
            "DATABASE_URL": f"{one.url}?options=-csearch_path%3Dpublic",
            "AUTOMATION_RETRY_RELAY": "false",
        }
        async with running_service(variables) as world:
            answer: dict[str, Any] = (await world.client.get("/readyz")).json()

    [problem] = answer["error"]["details"]["problems"]
    assert problem.startswith("No connection to PostgreSQL can be opened: unsupported startup")
    assert "use ALTER ROLE … SET …" in problem


async def test_any_isolation_of_the_session(server: PostgresServer) -> None:
    """Which cannot be set there: races have one winner each, and nobody is told of conflicts."""
    async with pooled(server) as one:
        with psycopg.connect(one.direct_url, autocommit=True) as connection:
            connection.execute(
                f"ALTER DATABASE {connection.info.dbname}"
                " SET default_transaction_isolation = serializable".encode()
            )
        async with running_service({"DATABASE_URL": one.url}) as world:
            key = await world.key()
            executions = [
                await world.add(a_failed_execution(tenant=world.tenant)) for _ in range(30)
            ]
            answers = await asyncio.gather(
                *[world.retry(each.execution_id, key) for each in executions for _ in range(3)]
            )

    assert sorted(answer.status_code for answer in answers) == [200] * 30 + [400] * 60
