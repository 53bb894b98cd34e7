"""The pool of connections, and the one place where driver errors become the application's."""

import contextlib
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextvars import ContextVar
from enum import Enum
from functools import cached_property
from typing import Any, LiteralString

import orjson
import psycopg
import psycopg_pool
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import DictRow, dict_row
from psycopg.types.json import set_json_dumps, set_json_loads

from automation_retry.application import StorageUnavailable


class Connection(psycopg.AsyncConnection[DictRow]):
    """A connection with a cursor of its own."""

    @cached_property
    def fetching(self) -> psycopg.AsyncCursor[DictRow]:
        """For statements whose rows are all fetched before the next one.

        A new cursor would have to find out for each parameter and column how it is adapted, which
        takes about as long as the rest of a short statement.
        """
        return self.cursor()


Parameters = Mapping[str, Any]

_NOT_MIGRATED = (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn)
_UNAVAILABLE = (
    psycopg.OperationalError,  # unreachable, shut down, out of space, timed out, deadlock
    psycopg.InterfaceError,  # the connection went away under us
    psycopg.errors.ReadOnlySqlTransaction,  # a standby answers after a fail-over
)

# Defaults that the URL may override: nothing may hold a request for ever.
_CONNECTION_DEFAULTS = {
    "application_name": "automation-retry",
    "connect_timeout": "5",
    "tcp_user_timeout": "10000",
    "options": "-c statement_timeout=15s -c lock_timeout=10s",
}


@contextlib.contextmanager
def translated_errors() -> Iterator[None]:
    """Turns driver errors into `StorageUnavailable` where it can help to ask again later."""
    try:
        yield
    except _NOT_MIGRATED as error:
        message = error.diag.message_primary
        raise StorageUnavailable(f"{message}; run `automation-retry migrate`") from error
    except _UNAVAILABLE as error:
        raise StorageUnavailable(f"{type(error).__name__}: {error}") from error


def _loads(text: str | bytes) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:  # jsonb holds numbers beyond a double, such as 1e400
        return json.loads(text)


def _plain(value: object) -> Any:
    return value.value if isinstance(value, Enum) else str(value)


def _dumps(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:  # whole numbers beyond 64 bits, which jsonb holds as well
        return json.dumps(value, default=_plain).encode()


async def _configure(connection: Connection) -> None:
    set_json_loads(_loads, connection)
    set_json_dumps(_dumps, connection)


def connection_info(url: str) -> str:
    """`url` with defaults for what it leaves open."""
    return make_conninfo("", **(_CONNECTION_DEFAULTS | conninfo_to_dict(url)))


class Database:
    """A pool of autocommit connections to one PostgreSQL; made closed, for `open` to open.

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
            configure=_configure,
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

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Lends a connection for statements that each commit themselves."""
        with translated_errors():
            async with self._pool.connection() as connection:
                yield connection

    @contextlib.asynccontextmanager
    async def claiming(self) -> AsyncIterator[Connection]:
        """A transaction that `joined` finds as long as this context lasts in the same task."""
        async with self.connection() as connection, connection.transaction():
            token = self._claiming.set(connection)
            try:
                yield connection
            finally:
                self._claiming.reset(token)

    @contextlib.asynccontextmanager
    async def joined(self) -> AsyncIterator[Connection]:
        """The connection of the surrounding `claiming`, else one of the pool.

        So an engine inside the same database takes part in the relay's own transaction.
        """
        if claiming := self._claiming.get():
            yield claiming
        else:
            async with self.connection() as connection:
                yield connection

    async def fetch(self, statement: LiteralString, parameters: Parameters) -> list[DictRow]:
        """The rows of a statement that may safely run twice.

        After a restart of the database all pooled connections are stale; the first to notice makes
        the pool replace them and asks again, so that callers do not pay for it one by one.
        """
        try:
            return await self.fetch_once(statement, parameters)
        except StorageUnavailable as unavailable:
            if not _connection_lost(unavailable.__cause__):
                raise
        with translated_errors():
            await self._pool.check()
        return await self.fetch_once(statement, parameters)

    async def fetch_once(self, statement: LiteralString, parameters: Parameters) -> list[DictRow]:
        """The rows of a statement that commits itself; after an error its outcome is unknown."""
        with translated_errors():
            # Not `connection`: on its way out the pool would also commit, of which nothing is left.
            connection = await self._pool.getconn()
            try:
                await connection.fetching.execute(statement, parameters)
                return await connection.fetching.fetchall()
            finally:
                await self._pool.putconn(connection)


def _connection_lost(error: BaseException | None) -> bool:
    if isinstance(error, psycopg.errors.AdminShutdown | psycopg.errors.CrashShutdown):
        return True
    # Errors that a server reports carry an SQLSTATE; those of a broken connection carry none.
    return (
        isinstance(error, psycopg.OperationalError)
        and error.sqlstate is None
        and not isinstance(error, psycopg_pool.PoolTimeout | psycopg_pool.PoolClosed)
    )
