"""Tables and sessions are changed by others while the service runs: nothing has to be restarted."""

import asyncio
from typing import LiteralString

import psycopg

from automation_retry.application import MessageKind, RelayOutbox
from tests.support.factories import a_failed_execution
from tests.support.world import EXECUTIONS, World

# Together, what different statements use.
CHANGES: tuple[LiteralString, ...] = (
    """
    ALTER TABLE automation_executions ALTER COLUMN status TYPE varchar(40);
    ALTER TABLE automation_outbox ADD COLUMN note text;
    ALTER TABLE automation_delivery_failures ALTER COLUMN reason TYPE varchar(500);
    """,
    """
    ALTER TABLE automation_executions ALTER COLUMN actions_total TYPE bigint,
                                      ALTER COLUMN duration_ms TYPE numeric;
    ALTER TABLE automation_failed_attempts ADD COLUMN note text;
    """,
    """
    ALTER TABLE automation_executions ADD COLUMN note text DEFAULT 'a note';
    ALTER TABLE automation_idempotency_keys ALTER COLUMN key TYPE varchar(300);
    ALTER TABLE api_keys ALTER COLUMN usage_limit TYPE bigint;
    """,
    """
    ALTER TABLE automation_executions DROP COLUMN note;
    ALTER TABLE automation_failed_attempts ALTER COLUMN duration_ms TYPE numeric;
    ALTER TABLE automation_outbox ALTER COLUMN kind TYPE varchar(10);
    ALTER TABLE permissions ALTER COLUMN resource TYPE varchar(80);
    """,
    """
    ALTER TABLE automation_idempotency_keys ADD COLUMN note text;
    ALTER TABLE api_keys ALTER COLUMN api_key TYPE varchar(128);
    ALTER TABLE users ADD COLUMN note text;
    """,
)


async def everything(world: World, keys: tuple[str, str], relay_outbox: RelayOutbox) -> None:
    """All that the service executes, often enough to be prepared in every connection."""
    for round_ in range(12):
        key = keys[round_ % 2]
        execution = await world.add(a_failed_execution(tenant=world.tenant))
        path = f"{EXECUTIONS}/{execution.execution_id}"
        answers = [
            await world.get(path, key),
            await world.retry(execution.execution_id, key, idempotency_key=f"{execution.tenant}"),
            await world.get(f"{path}/attempts", key),
            await world.client.get("/readyz"),
        ]
        assert {answer.status_code for answer in answers} <= {200, 422}
        assert [answer.status_code for answer in answers[::2]] == [200, 200]
        assert await world.storage.executions.report(
            await world.storage.executions.get(world.tenant, execution.execution_id)
        )
        for kind in MessageKind:
            await world.storage.outbox.note_failure(kind, "away")
            await world.storage.outbox.clear_failure(kind)
            await relay_outbox(kind, 10)
        await world.storage.outbox.backlog()
        await world.container.expire_idempotency_keys()()


async def test_types_and_columns_may_change(postgres_world: World, database_url: str) -> None:
    """After each change everything goes on with the first request."""
    world = postgres_world
    keys = await world.key(), await world.key(usage_limit=10_000)
    relay_outbox = world.container.relay_outbox()
    await everything(world, keys, relay_outbox)
    for change in CHANGES:
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute(change)
        await everything(world, keys, relay_outbox)


async def test_changes_under_load_are_not_noticed(postgres_world: World, database_url: str) -> None:
    """No answer but 200, while a column changes its type back and forth."""
    world = postgres_world
    key = await world.key()
    executions = [await world.add(a_failed_execution(tenant=world.tenant)) for _ in range(200)]

    async def change() -> None:
        connection = await psycopg.AsyncConnection.connect(database_url, autocommit=True)
        async with connection:
            for type_ in ("bigint", "integer") * 4:
                await connection.execute(
                    f"ALTER TABLE automation_executions ALTER COLUMN actions_total TYPE {type_}"
                )
                await asyncio.sleep(0.05)

    async def retry(number: int) -> list[int]:
        return [
            (await world.retry(one.execution_id, key)).status_code for one in executions[number::8]
        ]

    *found, _ = await asyncio.gather(*[retry(number) for number in range(8)], change())

    assert [status for statuses in found if statuses for status in statuses] == [200] * 200


async def test_prepared_statements_may_vanish(postgres_world: World) -> None:
    """As by a pooler that resets sessions."""
    world = postgres_world
    key = await world.key()
    relay_outbox = world.container.relay_outbox()
    await everything(world, (key, key), relay_outbox)
    database = world.container.database()
    for _ in range(10):
        async with database.connection() as connection:
            # In a block, so that psycopg does not notice.
            await connection.execute("DO $$ BEGIN EXECUTE 'DEALLOCATE ALL'; END $$", prepare=False)

    await everything(world, (key, key), relay_outbox)
