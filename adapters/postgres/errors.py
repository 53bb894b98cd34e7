"""The one place where errors of the driver become errors of the application."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import psycopg_pool

from automation_retry.application import StorageUnavailable

_NOT_MIGRATED = (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn)
_UNAVAILABLE = (
    psycopg.OperationalError,  # unreachable, shut down, out of space, timed out, deadlock
    psycopg.InterfaceError,  # the connection was closed during the statement
    psycopg.errors.ReadOnlySqlTransaction,  # a standby answers after a failover
    psycopg.errors.InsufficientPrivilege,  # until somebody grants it; readiness says what
)


@contextmanager
def translated_errors() -> Iterator[None]:
    """Turns driver errors that may pass into `StorageUnavailable`; the others pass through."""
    try:
        yield
    except _NOT_MIGRATED as error:
        message = error.diag.message_primary
        raise StorageUnavailable(f"{message}; run `automation-retry migrate`") from error
    except _UNAVAILABLE as error:
        raise StorageUnavailable(f"{type(error).__name__}: {_message(error)}") from error


def _message(error: psycopg.Error) -> str:
    """Without PostgreSQL's details and context, which may quote a row."""
    return error.diag.message_primary or str(error)


def connection_lost(error: BaseException | None) -> bool:
    """Whether a connection that worked before was broken, as by a restart of the database."""
    if isinstance(error, psycopg.errors.AdminShutdown | psycopg.errors.CrashShutdown):
        return True
    # Errors that a server reports carry an SQLSTATE; those of a broken connection carry none.
    return (
        isinstance(error, psycopg.OperationalError)
        and error.sqlstate is None
        and not isinstance(error, psycopg_pool.PoolTimeout | psycopg_pool.PoolClosed)
    )
