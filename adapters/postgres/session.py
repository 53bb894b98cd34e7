"""How connections are opened, and what their sessions begin with."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import dict_row

from automation_retry.adapters.postgres.connection import (
    ANSWER_WITHIN_S,
    Connection,
    has_several_hosts,
)
from automation_retry.adapters.postgres.errors import translated_errors
from automation_retry.adapters.postgres.host_names import HostNames
from automation_retry.adapters.postgres.loaders import register_loaders
from automation_retry.adapters.postgres.refusal import reason_of, with_remedy
from automation_retry.adapters.postgres.sql import session as sql
from automation_retry.application import StorageUnavailable

_CONNECT_WITHIN_S = 5
_CONNECT_TO_EACH_WITHIN_S = 2
"""Where there are several hosts or addresses; psycopg's minimum."""


def connection_info(url: str, answer_within: float = ANSWER_WITHIN_S) -> str:
    """`url` with defaults for what it leaves open.

    Poolers refuse unknown settings at the start of a connection, so there are none here but those
    that libpq itself uses and that pgbouncer keeps for each client: see `begin_session`. Keepalives
    detect connections that a firewall dropped silently.
    """
    defaults = {
        "application_name": "automation-retry",
        "client_encoding": "UTF8",
        "tcp_user_timeout": str(round(answer_within * 1000)),
        "keepalives_idle": "30",
        "keepalives_interval": "10",
        "keepalives_count": "3",
    }
    return make_conninfo("", **(defaults | conninfo_to_dict(url)))


def limited(conninfo: str) -> str:
    """`conninfo`, its names resolved, with a time limit for each attempt if it has none."""
    given = conninfo_to_dict(conninfo)
    if given.get("connect_timeout"):
        return conninfo
    within_s = _CONNECT_TO_EACH_WITHIN_S if has_several_hosts(given) else _CONNECT_WITHIN_S
    return make_conninfo(conninfo, connect_timeout=within_s)


async def begin_session(connection: Connection, *, own_session: bool | None) -> None:
    """Prepares a new connection; `own_session` None finds out.

    The server's timeouts release the locks of a process that vanished, such as those of a relay's
    claim. Where a pooler gives each transaction another session, nothing may stay in it: neither
    settings nor prepared statements.
    """
    register_loaders(connection)
    # In a stricter one, waiting for a row lock ends with an error instead of the new row. This
    # one is for transactions; statements by themselves have that of the session.
    await connection.set_isolation_level(psycopg.IsolationLevel.READ_COMMITTED)
    settings = {
        **_timeouts(connection.answer_within or ANSWER_WITHIN_S),
        "idle_session_timeout": "0",
        "default_transaction_isolation": "read committed",
        "extra_float_digits": "1",  # for numbers in JSON that PostgreSQL makes
        "tcp_keepalives_idle": "30",
        "tcp_keepalives_interval": "10",
        "tcp_keepalives_count": "3",
    }
    cursor = await connection.execute(
        sql.BEGIN_SESSION,
        {
            "own_session": own_session,
            "backend_pid": connection.info.backend_pid,
            "names": [*settings],
            "settings": [*settings.values()],
        },
        prepare=False,
    )
    row = await cursor.fetchone()
    assert row is not None  # noqa: S101 - the statement returns one row
    connection.own_session = row["own_session"]
    connection.is_direct = row["is_direct"]
    if not connection.own_session:
        connection.prepare_threshold = None


@asynccontextmanager
async def connected(conninfo: str, host_names: HostNames) -> AsyncIterator[Connection]:
    """An autocommit connection of no pool, closed at the end.

    Raises:
        StorageUnavailable: no connection can be opened; the reason says what would help.
    """
    try:
        connection = await Connection.connect(
            limited(await host_names.resolved(conninfo)), autocommit=True, row_factory=dict_row
        )
    except psycopg.Error as error:
        reason = with_remedy(reason_of(error))
        raise StorageUnavailable(f"no connection: {reason}") from error
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def separate_session(
    conninfo: str, host_names: HostNames, *, own_session: bool | None
) -> AsyncIterator[Connection]:
    """The same with the session of a pooled connection, but for its waits: they are not bounded."""
    async with connected(conninfo, host_names) as connection:
        with translated_errors():
            await begin_session(connection, own_session=own_session)
            connection.answer_within = None
            yield connection


def _timeouts(answer_within: float) -> Mapping[str, str]:
    lock_ms = round(answer_within * 1000)
    return {
        "statement_timeout": str(lock_ms + 5000),
        "lock_timeout": str(lock_ms),
        "idle_in_transaction_session_timeout": str(6 * lock_ms),
        "transaction_timeout": "0",  # since PostgreSQL 17
    }


async def limit_transaction(connection: Connection) -> None:
    """Limits the current transaction where the session has no time limits of its own."""
    if not connection.own_session:
        limits = _timeouts(connection.answer_within or ANSWER_WITHIN_S)
        await connection.execute(
            sql.LIMIT_TRANSACTION, {"names": [*limits], "settings": [*limits.values()]}
        )
