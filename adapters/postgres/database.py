"""The pool of connections to one PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from typing import Any, LiteralString

import psycopg
import psycopg_pool
from psycopg.rows import DictRow, dict_row

from automation_retry.adapters.postgres.connection import (
    ANSWER_WITHIN_S,
    Connection,
    configure,
    connection_info,
)
from automation_retry.adapters.postgres.errors import connection_lost, translated_errors
from automation_retry.adapters.time_limits import TimeLimits
from automation_retry.application import StorageUnavailable

Parameters = Mapping[str, Any]

_CACHED_PLAN = "RevalidateCachedQuery"
_PING_WITHIN_S = 0.5
_CLOSE_WITHIN_S = 1.0
# The pool retries a failed connect with exponential backoff, up to minutes apart. After this time
# it gives up instead, and the next request that needs a connection opens one immediately.
_RECONNECT_FOR_S = 4.0
# Leaves time for a second attempt after a read on a connection that was dropped silently.
_FIRST_ATTEMPT = 0.25


class _Pool(psycopg_pool.AsyncConnectionPool[Connection]):
    @staticmethod
    async def check_connection(conn: Connection) -> None:
        """Raises an error when the server does not answer at once."""
        conn.answer_within = _PING_WITHIN_S
        await conn.execute("")


class Database:
    """A pool of autocommit connections; created closed.

    All waits are bounded on the client's side and end when the caller is cancelled. Every method
    raises `StorageUnavailable` when the database does not answer in time.
    """

    def __init__(
        self,
        url: str,
        *,
        min_size: int = 2,
        max_size: int = 10,
        timeout: float = 5.0,
        answer_within: float = ANSWER_WITHIN_S,
    ) -> None:
        """`timeout` bounds the wait for a free connection, `answer_within` each wait for an answer.

        Both are in seconds.
        """
        self.max_size = max_size
        self._answer_within = answer_within
        self._pool = _Pool(
            connection_info(url, answer_within),
            connection_class=Connection,
            kwargs={"autocommit": True, "row_factory": dict_row},
            min_size=min_size,
            max_size=max_size,
            timeout=timeout,
            reconnect_timeout=_RECONNECT_FOR_S,
            configure=self._configure,
            name="automation-retry",
            open=False,
        )
        self._claiming: ContextVar[Connection | None] = ContextVar("claiming", default=None)
        self._limits = TimeLimits()
        self._check: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Opens the pool; does not wait for the database, which may come up later."""
        await self._pool.open(wait=False)

    async def close(self) -> None:
        """Closes the pool. A closed pool stays closed."""
        if self._check:
            self._check.cancel()
        await self._pool.close(_CLOSE_WITHIN_S)

    async def renew(self) -> None:
        """Replaces all connections; those in use when they are returned."""
        await self._pool.drain()

    @asynccontextmanager
    async def connection(self, *, unbounded: bool = False) -> AsyncIterator[Connection]:
        """A connection of the pool; each statement on it commits by itself.

        `unbounded` is for migrations, whose statements may take longer than any request.
        """
        with translated_errors():
            async with self._pool.connection() as connection:
                connection.answer_within = None if unbounded else self._answer_within
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
    async def joined(self, *, unbounded: bool = False) -> AsyncIterator[Connection]:
        """The connection of the surrounding `claiming`, else one of the pool.

        A broker in the same database thus takes part in the relay's own transaction.
        """
        if claiming := self._claiming.get():
            yield claiming
        else:
            async with self.connection(unbounded=unbounded) as connection:
                yield connection

    async def fetch(self, statement: LiteralString, parameters: Parameters) -> list[DictRow]:
        """The rows of a statement that may safely run twice.

        All pooled connections are broken after a restart of the database, and silent after a
        firewall dropped them. The first request that notices has the pool replace them and tries
        again, so that not every connection costs a failed request.
        """
        try:
            return await self._fetch(statement, parameters, self._answer_within * _FIRST_ATTEMPT)
        except StorageUnavailable as unavailable:
            if not connection_lost(unavailable.__cause__):
                raise
        with translated_errors():
            await self._pool.check()
        return await self._fetch(statement, parameters, self._answer_within)

    async def fetch_once(self, statement: LiteralString, parameters: Parameters) -> list[DictRow]:
        """The rows of a statement that commits by itself; after an error its outcome is unknown."""
        return await self._fetch(statement, parameters, self._answer_within)

    async def _fetch(
        self, statement: LiteralString, parameters: Parameters, answer_within: float
    ) -> list[DictRow]:
        with translated_errors():
            try:
                return await self._executed(statement, parameters, answer_within)
            except psycopg.errors.FeatureNotSupported as error:
                if error.diag.source_function != _CACHED_PLAN:
                    raise
                # A column has another type since the statement was prepared; nothing was executed.
                await self.renew()
                return await self._executed(statement, parameters, answer_within)

    async def _executed(
        self, statement: LiteralString, parameters: Parameters, answer_within: float
    ) -> list[DictRow]:
        # Not `connection`: when it ends the pool commits, a round trip that has nothing to do.
        connection = await self._pool.getconn()
        try:
            connection.answer_within = answer_within
            await connection.fetching.execute(statement, parameters)
            return await connection.fetching.fetchall()
        finally:
            await self._pool.putconn(connection)

    async def _configure(self, connection: Connection) -> None:
        await configure(connection)
        connection.limits = self._limits
        connection.on_silence = self._check_idle_connections

    def _check_idle_connections(self, _: object) -> None:
        """Pings the idle connections in the background; replaces those that do not answer."""
        if self._check is None or self._check.done():
            self._check = asyncio.create_task(self._checked())

    async def _checked(self) -> None:
        with suppress(psycopg_pool.PoolClosed):
            await self._pool.check()
