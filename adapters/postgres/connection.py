"""Connections as this adapter opens them."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from typing import Final, TypeVar

import psycopg
from psycopg import capabilities, generators, waiting
from psycopg.abc import PQGen
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import TransactionStatus
from psycopg.pq.abc import PGcancelConn
from psycopg.rows import DictRow
from psycopg.types.json import set_json_dumps, set_json_loads

from automation_retry.adapters.time_limits import TimeLimits
from automation_retry.adapters.wire.json_values import dumps, loads

RV = TypeVar("RV")

ANSWER_WITHIN_S: Final = 10.0
"""How long a statement may take by default."""

_SILENCE_S = 0.5
_CANCEL_WITHIN_S = 1.0
_WAIT_INTERVAL_S = 0.1

_cancelling = set[asyncio.Task[None]]()


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

        A new cursor looks up the adapter of each parameter and column again, which takes about as
        long as the rest of a short statement.
        """
        return self.cursor()

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
    settings = {
        "statement_timeout": lock_ms + 5000,
        "lock_timeout": lock_ms,
        "idle_in_transaction_session_timeout": 6 * lock_ms,
        "tcp_keepalives_idle": 30,
        "tcp_keepalives_interval": 10,
        "tcp_keepalives_count": 3,
    }
    defaults = {
        "application_name": "automation-retry",
        "connect_timeout": "5",
        "tcp_user_timeout": str(lock_ms),
        "keepalives_idle": "30",
        "keepalives_interval": "10",
        "keepalives_count": "3",
        "options": " ".join(f"-c {name}={value}" for name, value in settings.items()),
    }
    return make_conninfo("", **(defaults | conninfo_to_dict(url)))


async def configure(connection: Connection) -> None:
    """Reads and writes JSON as the rest of the service does."""
    set_json_loads(loads, connection)
    set_json_dumps(dumps, connection)
