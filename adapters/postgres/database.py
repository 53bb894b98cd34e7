"""The pool of connections to one PostgreSQL."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any, LiteralString

import psycopg_pool
from psycopg.rows import DictRow, dict_row

from automation_retry.adapters.postgres.connection import Connection, configure, connection_info
from automation_retry.adapters.postgres.errors import connection_lost, translated_errors
from automation_retry.application import StorageUnavailable

Parameters = Mapping[str, Any]


class Database:
    """A pool of autocommit connections; created closed.

    Every method raises `StorageUnavailable` when the database does not answer in time.
    """

    def __init__(
        self, url: str, *, min_size: int = 2, max_size: int = 10, timeout: float = 5.0
    ) -> None:
        """`timeout` bounds the wait for a free connection, in seconds."""
        self._pool: psycopg_pool.AsyncConnectionPool[Connection] = psycopg_pool.AsyncConnectionPool(
            connection_info(url),
            connection_class=Connection,
            kwargs={"autocommit": True, "row_factory": dict_row},
            min_size=min_size,
            max_size=max_size,
            timeout=timeout,
            configure=configure,
            name="automation-retry",
            open=False,
        )
        self._claiming: ContextVar[Connection | None] = ContextVar("claiming", default=None)

    async def open(self) -> None:
        """Opens the pool; does not wait for the database, which may come up later."""
        await self._pool.open(wait=False)

    async def close(self) -> None:
        """Closes the pool. A closed pool stays closed."""
        await self._pool.close()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection of the pool; each statement on it commits by itself."""
        with translated_errors():
            async with self._pool.connection() as connection:
                yield connection

    @asynccontextmanager
    async def claiming(self) -> AsyncIterator[Connection]:
        """A transaction that `joined` returns to the same task until this context ends."""
        async with self.connection() as connection, connection.transaction():
            token = self._claiming.set(connection)
            try:
                yield connection
            finally:
                self._claiming.reset(token)

    @asynccontextmanager
    async def joined(self) -> AsyncIterator[Connection]:
        """The connection of the surrounding `claiming`, else one of the pool.

        A broker in the same database thus takes part in the relay's own transaction.
        """
        if claiming := self._claiming.get():
            yield claiming
        else:
            async with self.connection() as connection:
                yield connection

    async def fetch(self, statement: LiteralString, parameters: Parameters) -> list[DictRow]:
        """The rows of a statement that may safely run twice.

        After a restart of the database all pooled connections are stale. The first request to
        notice has the pool replace them and tries again, so that not every connection costs a
        request its answer.
        """
        try:
            return await self.fetch_once(statement, parameters)
        except StorageUnavailable as unavailable:
            if not connection_lost(unavailable.__cause__):
                raise
        with translated_errors():
            await self._pool.check()
        return await self.fetch_once(statement, parameters)

    async def fetch_once(self, statement: LiteralString, parameters: Parameters) -> list[DictRow]:
        """The rows of a statement that commits by itself; after an error its outcome is unknown."""
        with translated_errors():
            # Not `connection`: when it ends the pool commits, a round trip that has nothing to do.
            connection = await self._pool.getconn()
            try:
                await connection.fetching.execute(statement, parameters)
                return await connection.fetching.fetchall()
            finally:
                await self._pool.putconn(connection)
