"""Connections as this adapter opens them."""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Final, TypeVar

import orjson
import psycopg
from psycopg import capabilities, generators, waiting
from psycopg.abc import Buffer, PQGen
from psycopg.adapt import Loader
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import Format, TransactionStatus
from psycopg.pq.abc import PGcancelConn
from psycopg.rows import DictRow
from psycopg.types.json import set_json_dumps, set_json_loads

from automation_retry.adapters.time_limits import TimeLimits

RV = TypeVar("RV")

ANSWER_WITHIN_S: Final = 10.0
"""How long a statement may take by default."""

_SILENCE_S = 0.5
_CANCEL_WITHIN_S = 1.0
_WAIT_INTERVAL_S = 0.1

_cancelling = set[asyncio.Task[None]]()


OUT_OF_RANGE: Final = object()
"""Stands for a time that no `datetime` can hold, as infinity."""

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


class _MomentLoader(Loader):
    """Times with and without zone as datetimes in UTC."""

    format = Format.BINARY

    def load(self, data: Buffer) -> datetime | object:
        microseconds = int.from_bytes(data, "big", signed=True)
        try:
            return _EPOCH + timedelta(microseconds=microseconds)
        except OverflowError:
            return OUT_OF_RANGE


class NoAnswer(psycopg.OperationalError):
    """PostgreSQL did not answer in time; the connection is closed."""


class Connection(psycopg.AsyncConnection[DictRow]):
    """A connection whose waits are bounded on the client's side.

    Timeouts of the server are lost behind a pooler, and TCP's do not apply to a peer that
    acknowledges packets without answering.
    """

    answer_within: float | None = ANSWER_WITHIN_S
    """Seconds until a wait for the server raises `NoAnswer`; None: unbounded."""

    on_silence: Callable[[object], object] | None = None
    """Called once for each wait that has lasted for half a second, or half of its time."""
    limits = TimeLimits()
    """Shared by the connections of a pool."""

    @cached_property
    def fetching(self) -> psycopg.AsyncCursor[DictRow]:
        """For statements whose rows are all fetched before the next one.

        Values arrive in binary form, which no setting of the session changes, as DateStyle would.

        A new cursor looks up the adapter of each parameter and column again, which takes about as
        long as the rest of a short statement.
        """
        return self.cursor(binary=True)

    async def wait(
        self,
        gen: PQGen[RV],
        interval: float = _WAIT_INTERVAL_S,
        timeout: float | None = None,  # noqa: ASYNC109 - psycopg's signature
    ) -> RV:
        """Replaces psycopg's wait for the server; `timeout` overrides `answer_within`.

        On a timeout or a cancellation the connection is closed immediately; psycopg itself would
        wait up to 10 s more for the server to confirm the cancellation.

        Raises:
            NoAnswer: the time is over.
        """
        within = self.answer_within if timeout is None else timeout
        if within is None:
            return await self._wait(gen, interval)
        now = asyncio.get_running_loop().time()
        slow_at = now + min(_SILENCE_S, within / 2)

        def too_late() -> NoAnswer:
            return NoAnswer(f"no answer within {within:g} s")

        with self.limits.until(now + within, too_late, slow_at=slow_at, on_slow=self.on_silence):
            return await self._wait(gen, interval)

    async def _wait(self, gen: PQGen[RV], interval: float) -> RV:
        try:
            return await waiting.wait_async(gen, self.pgconn.socket, interval)
        except asyncio.CancelledError:
            self._abandon()
            raise

    def _abandon(self) -> None:
        """Closes the connection and sends a cancel request in the background.

        Without it, a statement that waits for a lock would still be executed later. (A libpq before
        17 cannot send it without blocking; then `lock_timeout` ends the statement.)
        """
        cancel = None
        if (
            self.pgconn.transaction_status == TransactionStatus.ACTIVE
            and capabilities.has_cancel_safe()
        ):
            with suppress(psycopg.Error):
                cancel = self.pgconn.cancel_conn()
        self.pgconn.finish()
        if cancel is not None:
            task = asyncio.get_running_loop().create_task(_send(cancel))
            _cancelling.add(task)
            task.add_done_callback(_cancelling.discard)


async def _send(cancel: PGcancelConn) -> None:
    """Sends a cancel request on its own connection; gives up after a second."""
    with suppress(psycopg.Error, TimeoutError, OSError):
        async with asyncio.timeout(_CANCEL_WITHIN_S):
            cancel.start()
            await waiting.wait_conn_async(generators.cancel(cancel), _WAIT_INTERVAL_S)
    cancel.finish()


def connection_info(url: str, answer_within: float = ANSWER_WITHIN_S) -> str:
    """`url` with defaults for what it leaves open.

    The server's timeouts release the locks of a process that vanished, such as those of a relay's
    claim. Keepalives detect connections that a firewall dropped silently.
    """
    lock_ms = round(answer_within * 1000)
    settings: dict[str, object] = {
        "statement_timeout": lock_ms + 5000,
        "lock_timeout": lock_ms,
        "idle_in_transaction_session_timeout": 6 * lock_ms,
        # In a stricter one, waiting for a row lock ends with an error instead of the new row.
        "default_transaction_isolation": "read\\ committed",
        "tcp_keepalives_idle": 30,
        "tcp_keepalives_interval": 10,
        "tcp_keepalives_count": 3,
    }
    defaults = {
        "application_name": "automation-retry",
        "client_encoding": "UTF8",
        "connect_timeout": "5",
        "tcp_user_timeout": str(lock_ms),
        "keepalives_idle": "30",
        "keepalives_interval": "10",
        "keepalives_count": "3",
        "options": " ".join(f"-c {name}={value}" for name, value in settings.items()),
    }
    return make_conninfo("", **(defaults | conninfo_to_dict(url)))


def _loads(text: str | bytes) -> Any:
    """The value of a JSON text, numbers beyond a double included."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return json.loads(text)


async def configure(connection: Connection) -> None:
    """Reads and writes JSON and times independently of the session's settings."""
    set_json_loads(_loads, connection)
    set_json_dumps(orjson.dumps, connection)
    for type_name in ("timestamp", "timestamptz"):
        connection.adapters.register_loader(type_name, _MomentLoader)
