"""Closing the storage completes what requests left to the background, in bounded time."""

import asyncio
from typing import LiteralString
from uuid import uuid4

import psycopg
import pytest
from structlog.testing import capture_logs

from automation_retry.adapters.postgres import Database, postgres_storage
from automation_retry.application.ports import Storage

LOCK_TABLE: LiteralString = "LOCK TABLE api_keys IN SHARE MODE"
LOCK_ROWS: LiteralString = "SELECT FROM api_keys FOR UPDATE"
LAST_USED_AT: LiteralString = "SELECT last_used_at FROM api_keys"


@pytest.fixture
async def storage(database_url: str) -> Storage:
    """Open; each test closes it."""
    storage = postgres_storage(Database(database_url), new_id=uuid4)
    await storage.lifecycle.open()
    return storage


@pytest.fixture
async def key(storage: Storage) -> str:
    user = await storage.directory.ensure_user(
        tenant=uuid4(),
        company_name="Contoso",
        username="ada",
        email="ada@contoso.example",
        permissions=frozenset(),
    )
    return await storage.directory.create_api_key(user=user)


async def test_last_used_at_is_written_before_the_pool_closes(
    storage: Storage, key: str, database_url: str
) -> None:
    """A process that ends right after its only request leaves the time of that request."""
    await storage.authenticator.authenticate(key)

    await storage.lifecycle.close()

    with psycopg.connect(database_url) as connection:
        [last_used_at] = connection.execute(LAST_USED_AT).fetchone() or [None]
    assert last_used_at is not None


async def test_closing_does_not_wait_for_locks(
    storage: Storage, key: str, database_url: str
) -> None:
    """After a second the write of `last_used_at` is given up."""
    async with await psycopg.AsyncConnection.connect(database_url) as blocker:
        await blocker.execute(LOCK_TABLE)
        await storage.authenticator.authenticate(key)

        async with asyncio.timeout(9):  # the lock itself is waited for up to 10 s
            await storage.lifecycle.close()

        row = await (await blocker.execute(LAST_USED_AT)).fetchone()
    assert row == (None,)


async def test_a_locked_key_keeps_the_time_of_its_last_use(
    storage: Storage, key: str, database_url: str
) -> None:
    """The write is skipped: it does not wait on a connection that requests need."""
    async with await psycopg.AsyncConnection.connect(database_url) as blocker:
        await blocker.execute(LOCK_ROWS)
        await storage.authenticator.authenticate(key)
        with capture_logs() as lines:
            await storage.lifecycle.close()

        row = await (await blocker.execute(LAST_USED_AT)).fetchone()
    assert row == (None,)
    assert lines == []  # a write that waited would have been given up, with a warning
