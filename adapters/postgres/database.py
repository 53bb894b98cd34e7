"""The pool of connections to one PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from contextvars import ContextVar
from time import monotonic
from typing import Any, LiteralString, NamedTuple

import psycopg
import psycopg_pool
from psycopg.rows import DictRow, dict_row

from automation_retry.adapters.postgres.attempts import Attempts
from automation_retry.adapters.postgres.connection import ANSWER_WITHIN_S, Connection
from automation_retry.adapters.postgres.errors import (
    Again,
    again,
    connection_lost,
    translated_errors,
)
from automation_retry.adapters.postgres.host_names import HostNames
from automation_retry.adapters.postgres.pool import Pool
from automation_retry.adapters.postgres.refusal import Refusal
from automation_retry.adapters.postgres.session import (
    begin_session,
    connected,
    connection_info,
    limit_transaction,
    limited,
    separate_session,
)
from automation_retry.adapters.time_limits import TimeLimits
from automation_retry.application import StorageUnavailable

Parameters = Mapping[str, Any]

_CLOSE_WITHIN_S = 1.0
# The pool retries a failed connect with exponential backoff, up to minutes apart. After this time
# it gives up instead, and the next request that needs a connection opens one immediately.
_RECONNECT_FOR_S = 4.0
# Leaves time for a second attempt after a read on a connection that was dropped silently.
_FIRST_ATTEMPT = 0.25
_RENEW_EVERY_S = 1.0


class _Result(NamedTuple):
    rows: list[DictRow]
    affected: int
    """The number of rows that were returned or changed."""


class Database:
    """A pool of autocommit connections; created closed.

    All waits are bounded on the client's side and end when the caller is cancelled. Every method
    raises `StorageUnavailable` when the database does not answer in time.
    """

    def __init__(  # noqa: PLR0913 - options with defaults
        self,
        url: str,
        *,
        min_size: int = 2,
        max_size: int = 10,
        timeout: float = 5.0,
        answer_within: float = ANSWER_WITHIN_S,
        own_sessions: bool | None = None,
        host_names: HostNames | None = None,
        fail_fast: bool = False,
    ) -> None:
        """`timeout` bounds the wait for a free connection, `answer_within` each wait for an answer.

        Both are in seconds. `own_sessions` is false behind a pooler that gives each transaction
        another session; None finds out for each connection. With `fail_fast`, `open` raises an
        error when no connection can be opened now.
        """
        self.max_size = max_size
        self._answer_within = answer_within
        self._fail_fast = fail_fast
        self._own_sessions = own_sessions
        self._host_names = host_names or HostNames()
        self._refusal = Refusal(monotonic)
        self._conninfo = connection_info(url, answer_within)
        self._pool = Pool(
            self._current_conninfo,
            connection_class=Connection,
            kwargs={
                "autocommit": True,
                "row_factory": dict_row,
                "on_failure": self._refusal.failed,
            },
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
        self._renewed_at = -_RENEW_EVERY_S

    @property
    def refusal(self) -> str | None:
        """Why PostgreSQL has refused the last connection; None when it accepts them."""
        return self._refusal.reason

    async def open(self) -> None:
        """Opens the pool; does not wait for the database, which may come up later.

        With `fail_fast` it connects first, once, and the error says what to do.
        """
        if self._fail_fast:
            async with connected(self._conninfo, self._host_names):
                pass
        await self._pool.open(wait=False)

    async def close(self) -> None:
        """Closes the pool. A closed pool stays closed."""
        if self._check:
            self._check.cancel()
        await self._pool.close(_CLOSE_WITHIN_S)

    async def renew(self) -> None:
        """Replaces all connections; those in use when they are returned."""
        self._renewed_at = monotonic()
        await self._pool.drain()

    @asynccontextmanager
    async def connection(self, *, unbounded: bool = False) -> AsyncIterator[Connection]:
        """A connection of the pool; each statement on it commits by itself.

        `unbounded` is for migrations, whose statements may take longer than any request.
        """
        with translated_errors():
            connection = await self._free_connection()
            try:
                connection.answer_within = None if unbounded else self._answer_within
                async with connection:
                    yield connection
            except Exception as error:
                await self._discard_if_unfit(connection, again(error))
                raise
            finally:
                await self._pool.putconn(connection)

    def session(self) -> AbstractAsyncContextManager[Connection]:
        """A connection beside the pool, for statements of any duration; closed at the end."""
        return separate_session(self._conninfo, self._host_names, own_session=self._own_sessions)

    @asynccontextmanager
    async def claiming(self) -> AsyncIterator[Connection]:
        """A transaction that `joined` returns to the same task until this context ends."""
        async with self.connection() as connection, connection.transaction():
            await limit_transaction(connection)
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
        first_within = self._answer_within * _FIRST_ATTEMPT
        try:
            return (await self._accepted(statement, parameters, first_within)).rows
        except StorageUnavailable as unavailable:
            if not connection_lost(unavailable.__cause__):
                raise
        await self.check()
        return (await self._accepted(statement, parameters, self._answer_within)).rows

    async def check(self) -> None:
        """Has the pool replace the idle connections that do not answer."""
        with translated_errors():
            await self._pool.check()

    async def fetch_once(
        self, statement: LiteralString, parameters: Parameters, *, shared: bool = False
    ) -> list[DictRow]:
        """The rows of a statement that commits by itself; after an error its outcome is unknown.

        When it conflicts with another transaction it is executed again as long as its time allows.
        A `shared` one only a few times, since it holds up the requests of others.
        """
        return (
            await self._accepted(statement, parameters, self._answer_within, shared=shared)
        ).rows

    async def execute(self, statement: LiteralString, parameters: Parameters) -> int:
        """The number of rows that such a statement has changed."""
        return (await self._accepted(statement, parameters, self._answer_within)).affected

    async def _accepted(
        self,
        statement: LiteralString,
        parameters: Parameters,
        answer_within: float,
        *,
        shared: bool = False,
    ) -> _Result:
        """What the statement returned when the server did not refuse it for a passing reason."""
        attempts = Attempts(monotonic() + answer_within, shared)
        while True:
            try:
                with translated_errors():
                    return await self._executed(statement, parameters, answer_within)
            except StorageUnavailable as unavailable:
                await attempts.pause_or_raise(unavailable)

    async def _executed(
        self, statement: LiteralString, parameters: Parameters, answer_within: float
    ) -> _Result:
        # Not `connection`: when it ends it commits, a round trip that has nothing to do.
        connection = await self._free_connection()
        try:
            connection.answer_within = answer_within
            cursor = connection.fetching
            await cursor.execute(statement, parameters)
            result = cursor.pgresult  # its description would have an object for each column
            rows = await cursor.fetchall() if result and result.nfields else []
            return _Result(rows, cursor.rowcount)
        except psycopg.Error as error:
            await self._discard_if_unfit(connection, again(error))
            raise
        finally:
            await self._pool.putconn(connection)

    async def _free_connection(self) -> Connection:
        try:
            return await self._pool.getconn()
        except psycopg_pool.PoolTimeout as error:
            if self.refusal is None:
                raise
            raise StorageUnavailable(f"no connection: {self.refusal}") from error

    async def _discard_if_unfit(self, connection: Connection, why: Again | None) -> None:
        """The pool replaces this connection, and the others, which are likely to be alike."""
        if why is Again.NEW_SESSION:
            await connection.close()
            if connection.opened_at >= self._renewed_at:  # else they are being replaced
                await self.renew()
        elif why is Again.OTHER_SERVER:
            await connection.close()
            if monotonic() - self._renewed_at >= _RENEW_EVERY_S:  # it may last
                await self.renew()

    async def _current_conninfo(self) -> str:
        try:
            return limited(await self._host_names.resolved(self._conninfo))
        except psycopg.Error as error:
            self._refusal.failed(error)
            raise

    async def _configure(self, connection: Connection) -> None:
        connection.opened_at = monotonic()
        connection.limits = self._limits
        connection.answer_within = self._answer_within
        try:
            await begin_session(connection, own_session=self._own_sessions)
        except psycopg.Error as error:
            self._refusal.failed(error)
            raise
        connection.on_silence = self._check_idle_connections
        self._refusal.opened()

    def _check_idle_connections(self, _: object) -> None:
        """Pings the idle connections in the background; replaces those that do not answer."""
        if self._check is None or self._check.done():
            self._check = asyncio.create_task(self._checked())

    async def _checked(self) -> None:
        with suppress(psycopg_pool.PoolClosed):
            await self._pool.check()
