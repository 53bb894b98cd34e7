"""The one place where errors of the driver become errors of the application."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum, auto

import psycopg
import psycopg_pool

from automation_retry.application import StorageFailed, StorageUnavailable

_NOT_MIGRATED = (
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedColumn,
    psycopg.errors.UndefinedFunction,
)
_UNAVAILABLE = (
    psycopg.OperationalError,  # unreachable, shut down, out of space, timed out, deadlock
    psycopg.InterfaceError,  # the connection was closed during the statement
    psycopg.errors.ReadOnlySqlTransaction,  # a standby answers after a failover
    psycopg.errors.UndefinedObject,  # a type of Procrastinate's, or a setting in a policy
    psycopg.errors.InsufficientPrivilege,  # until somebody grants it; readiness says what
    psycopg.errors.InvalidSqlStatementName,  # see `Again.NEW_SESSION`
    psycopg.errors.DuplicatePreparedStatement,
)
_CACHED_PLAN = "RevalidateCachedQuery"
_TIMEOUTS = frozenset({"25P03", "25P04"})
"""Of an idle transaction, and of a whole one; the session ends."""
_ENDED = frozenset({"57P01", "57P02", "57P05", *_TIMEOUTS})
"""The server stops or restarts, or has ended the session because of a timeout."""


class Again(Enum):
    """Why a statement that the server has refused may succeed when it is executed again."""

    NEW_SESSION = auto()
    """What was prepared in the session is gone, or no longer fits the tables."""
    OTHER_SERVER = auto()
    """The server is read-only, as a standby, or the role of the session lacks a right.

    A new session may be on another server, or have what was granted meanwhile.
    """
    CONFLICT = auto()
    """It conflicted with another transaction."""


def again(error: BaseException | None) -> Again | None:
    """Whether `error` came from the server and may pass; then nothing was committed.

    An error that a broker in the same database has wrapped counts as well.
    """
    while error is not None and not isinstance(error, psycopg.Error):
        error = error.__cause__
    if isinstance(
        error, psycopg.errors.ReadOnlySqlTransaction | psycopg.errors.InsufficientPrivilege
    ):
        return Again.OTHER_SERVER
    if isinstance(error, psycopg.errors.SerializationFailure | psycopg.errors.DeadlockDetected):
        return Again.CONFLICT
    return Again.NEW_SESSION if error is not None and _is_stale(error) else None


def _is_stale(error: psycopg.Error) -> bool:
    """Whether what was prepared in the session was the reason."""
    if isinstance(error, psycopg.errors.FeatureNotSupported):
        return error.diag.source_function == _CACHED_PLAN
    if isinstance(error, psycopg.errors.ProtocolViolation):
        # Of PostgreSQL itself, for other parameters than those that were prepared.
        return not _ended_by_pooler(error)
    return isinstance(
        error, psycopg.errors.InvalidSqlStatementName | psycopg.errors.DuplicatePreparedStatement
    )


def _ended_by_pooler(error: psycopg.errors.ProtocolViolation) -> bool:
    """Poolers end connections with this SQLSTATE; the outcome is unknown."""
    return error.diag.severity_nonlocalized != "ERROR"


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
        if isinstance(error, psycopg.errors.InsufficientPrivilege) and not functions:
            raise StorageUnavailable(
                f"{described(error)}; use another role, or GRANT what is missing"
            ) from error
        if isinstance(error, _UNAVAILABLE) or error.sqlstate in _TIMEOUTS or again(error):
            raise StorageUnavailable(described(error)) from error
        # Not chained: a traceback would show PostgreSQL's details, which may quote a row.
        raise StorageFailed(described(error), functions) from None


# The text around the name is in the server's language.
_FUNCTION = re.compile(r"^[^(\n]*?PL/pgSQL[^(\n]*?([A-Za-z0-9_.\"$]+)\(", re.MULTILINE)
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
        return f"{type(error).__name__}: {' '.join(str(error).split())}"  # of the client's own
    text = f"{type(error).__name__} (SQLSTATE {error.sqlstate})"
    if functions := functions_of(error):
        return f"{text}, function {functions[0]}"
    diagnostics = error.diag
    # An error with a context was raised in some function or block.
    quotes = isinstance(error, psycopg.DataError | psycopg.IntegrityError) or diagnostics.context
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


def is_answer(error: BaseException | None) -> bool:
    """Whether the server has reported it, so that it does answer."""
    return isinstance(error, psycopg.Error) and error.sqlstate is not None


def refused_by_row(error: BaseException | None) -> bool:
    """Whether the server refused a statement, and did nothing: perhaps because of one of its rows.

    What ends the session is more severe than an error.
    """
    return isinstance(error, psycopg.Error) and error.diag.severity_nonlocalized == "ERROR"


def connection_lost(error: BaseException | None) -> bool:
    """Whether a connection that worked before was broken, as by a restart of the database."""
    if isinstance(error, psycopg.Error) and error.sqlstate in _ENDED:
        return True
    if isinstance(error, psycopg.errors.ProtocolViolation):
        return _ended_by_pooler(error)
    # Errors that a server reports carry an SQLSTATE; those of a broken connection carry none.
    return (
        isinstance(error, psycopg.OperationalError)
        and error.sqlstate is None
        and not isinstance(error, psycopg_pool.PoolTimeout | psycopg_pool.PoolClosed)
    )
