"""The one place where errors of the driver become errors of the application."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import psycopg_pool

from automation_retry.application import StorageFailed, StorageUnavailable

_NOT_MIGRATED = (
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedColumn,
    psycopg.errors.UndefinedFunction,
    psycopg.errors.UndefinedObject,
)
_UNAVAILABLE = (
    psycopg.OperationalError,  # unreachable, shut down, out of space, timed out, deadlock
    psycopg.InterfaceError,  # the connection was closed during the statement
    psycopg.errors.ReadOnlySqlTransaction,  # a standby answers after a failover
    psycopg.errors.InsufficientPrivilege,  # until somebody grants it; readiness says what
)


@contextmanager
def translated_errors() -> Iterator[None]:
    """Turns driver errors into `StorageUnavailable` if they may pass, else into `StorageFailed`.

    Unique violations pass through: what they mean depends on the statement.
    """
    try:
        yield
    except psycopg.errors.UniqueViolation:
        raise
    except psycopg.Error as error:
        functions = functions_of(error)
        if isinstance(error, _NOT_MIGRATED) and not functions:
            raise StorageUnavailable(
                f"{described(error)}; run `automation-retry migrate`"
            ) from error
        if isinstance(error, _UNAVAILABLE):
            raise StorageUnavailable(described(error)) from error
        # Not chained: a traceback would show PostgreSQL's details, which may quote a row.
        raise StorageFailed(described(error), functions) from None


_FUNCTION = re.compile(r"^PL/pgSQL function ([\w.\"]+)\(", re.MULTILINE)
_SYNTAX_ERROR = "42601"


def functions_of(error: psycopg.Error) -> tuple[str, ...]:
    """The PL/pgSQL functions in which an error was raised, the innermost first."""
    return tuple(_FUNCTION.findall(error.diag.context or ""))


def described(error: psycopg.Error) -> str:
    """What happened, without what may quote a value.

    The messages of data errors and integrity errors quote values, and a function may raise any
    error with any text; the details and the context of all errors may quote a row.
    """
    if error.sqlstate is None:
        return f"{type(error).__name__}: {error}"  # of the client's own
    text = f"{type(error).__name__} (SQLSTATE {error.sqlstate})"
    if functions := functions_of(error):
        return f"{text}, function {functions[0]}"
    diagnostics = error.diag
    quotes = isinstance(error, psycopg.DataError | psycopg.IntegrityError)
    if diagnostics.message_primary and not quotes and error.sqlstate != _SYNTAX_ERROR:
        text += f": {diagnostics.message_primary}"
    for what, name in (
        ("constraint", diagnostics.constraint_name),
        ("table", diagnostics.table_name),
        ("column", diagnostics.column_name),
    ):
        if name:
            text += f", {what} {name}"
    return text


def refused_by_row(error: BaseException | None) -> bool:
    """Whether the server refused a statement because of one of its rows, and so did nothing."""
    return isinstance(error, psycopg.Error) and (error.sqlstate or "")[:2] in {"40", "42", "54"}


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
