"""A database that is read-only for a while."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import psycopg
from attrs import frozen
from structlog.testing import capture_logs

from tests.support.factories import a_failed_execution
from tests.support.postgres_server import PostgresServer
from tests.support.world import EXECUTIONS, World, running_service

HEALED_WITHIN_S = 5
PROBLEM = (
    "PostgreSQL is read-only, so nothing can be written; set default_transaction_read_only off for "
    "the server, the database or the role."
)


@frozen
class Unwritable:
    """A service whose sessions all began read-only, with a failed execution in its database."""

    world: World
    server: PostgresServer
    url: str
    tenant: UUID
    key: str
    limited_key: str

    async def retry(self) -> int:
        return (await self.world.retry(self.tenant, self.key)).status_code

    def mend(self) -> None:
        set_read_only(self.server, self.url, "off")


def set_read_only(server: PostgresServer, url: str, value: str) -> None:
    with psycopg.connect(url) as connection:
        name = connection.info.dbname
    server.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = {value}')


@asynccontextmanager
async def unwritable(server: PostgresServer, url: str) -> AsyncIterator[Unwritable]:
    variables = {"DATABASE_URL": url, "AUTOMATION_RETRY_RELAY": "false"}
    async with running_service(variables) as world:
        tenant = world.tenant
        await world.add(a_failed_execution(tenant=tenant, execution_id=tenant))
        keys = await world.key(), await world.key(usage_limit=100)
    set_read_only(server, url, "on")
    async with running_service(variables) as world:
        yield Unwritable(world, server, url, tenant, *keys)


async def test_reads_go_on(postgres_server: PostgresServer, database_url: str) -> None:
    """A read needs no write, and leaves no warning; a key whose uses are counted does."""
    async with unwritable(postgres_server, database_url) as one:
        with capture_logs() as lines:
            path = f"{EXECUTIONS}/{one.tenant}"
            reads = [await one.world.get(path, one.key) for _ in range(3)]
            attempts = await one.world.get(f"{path}/attempts", one.key)
            counted = await one.world.get(path, one.limited_key)
            refused = await one.retry()

    assert [read.status_code for read in [*reads, attempts]] == [200] * 4
    assert (counted.status_code, refused) == (503, 503)
    assert not [line for line in lines if line["event"] == "last_used_at not written"]


async def test_it_is_not_ready(postgres_server: PostgresServer, database_url: str) -> None:
    """The probe and one line of the log say why, until it can be written to again."""
    async with unwritable(postgres_server, database_url) as one:
        with capture_logs() as lines:
            answers = [await one.world.client.get("/readyz") for _ in range(3)]
            one.mend()
            async with asyncio.timeout(HEALED_WITHIN_S):
                while (await one.world.client.get("/readyz")).status_code != 200:
                    pass
        retried = await one.retry()

    assert {answer.status_code for answer in answers} == {503}
    assert answers[0].json()["error"]["details"] == {"problems": [PROBLEM]}
    said = [line for line in lines if line["event"] in {"not ready", "ready"}]
    assert [line.get("problems") for line in said] == [[PROBLEM], None]
    assert retried == 200


async def test_retries_alone_heal_it(postgres_server: PostgresServer, database_url: str) -> None:
    """Sessions that began read-only are replaced when a write shows it; no probe is needed."""
    async with unwritable(postgres_server, database_url) as one:
        before = [await one.retry() for _ in range(3)]
        one.mend()
        async with asyncio.timeout(HEALED_WITHIN_S):
            while (status := await one.retry()) != 200:
                pass

    assert before == [503] * 3
    assert status == 200


async def test_sessions_that_become_read_only_do_not_stay(postgres_world: World) -> None:
    """A retry that meets one is written by another session; its caller learns nothing of it."""
    world = postgres_world
    key = await world.key()
    execution = await world.add(a_failed_execution(tenant=world.tenant))
    for _ in range(10):
        async with world.container.database().connection() as connection:
            await connection.execute("SET default_transaction_read_only = on")
    answer = await world.retry(execution.execution_id, key)

    assert answer.status_code == 200
