"""Connections as this adapter opens them."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cached_property
from typing import Any, Final, Self, TypeVar

import psycopg
from psycopg import capabilities, generators, waiting
from psycopg.abc import PQGen
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import TransactionStatus
from psycopg.pq.abc import PGcancelConn
from psycopg.rows import DictRow

from automation_retry.adapters.time_limits import TimeLimits

RV = TypeVar("RV")

ANSWER_WITHIN_S: Final = 10.0
"""How long a statement may take by default."""

_SILENCE_S = 0.5
_CANCEL_WITHIN_S = 1.0
_POOLER_WITHIN_S = 0.5
_WAIT_INTERVAL_S = 0.1

_cancelling = set[asyncio.Task[None]]()


def has_several_hosts(parameters: Mapping[str, Any]) -> bool:
    return any("," in str(parameters.get(name) or "") for name in ("host", "hostaddr"))


class NoAnswer(psycopg.OperationalError):
    """PostgreSQL did not answer in time; the connection is closed."""


class Connection(psycopg.AsyncConnection[DictRow]):
    """A connection whose waits are bounded on the client's side.

    Timeouts of the server are lost behind a pooler, and TCP's do not apply to a peer that
    acknowledges packets without answering.
    """

    answer_within: float | None = ANSWER_WITHIN_S
    """Seconds until a wait for the server raises `NoAnswer`; None: unbounded."""

    opened_at = 0.0
    """By `time.monotonic`."""
    is_direct = True
    """Whether no pooler is in between, not even one that assigns a session to each client."""
    own_session = True
    """Whether PostgreSQL's session is this connection's own, and not a pooler's that others use."""
    on_silence: Callable[[object], object] | None = None
    """Called once for each wait that has lasted for half a second, or half of its time."""
    limits = TimeLimits()
    """Shared by the connections of a pool."""

    @classmethod
    async def connect(  # type: ignore[override]  # psycopg's options are passed on
        cls,
        conninfo: str = "",
        *,
        on_failure: Callable[[psycopg.Error], object] = lambda _: None,
        **kwargs: Any,
    ) -> Self:
        """Of several hosts, connects to one that can be written to if there is one.

        libpq by itself takes the first that answers, or none that is read-only. `on_failure` is
        called with the error that is raised.
        """
        given = conninfo_to_dict(conninfo)
        try:
            if has_several_hosts(given) and not given.get("target_session_attrs"):
                with suppress(psycopg.OperationalError):
                    writable = make_conninfo(conninfo, target_session_attrs="read-write")
                    return await super().connect(writable, **kwargs)
            return await super().connect(conninfo, **kwargs)
        except psycopg.Error as error:
            on_failure(error)
            raise

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
            await self._abandon()
            raise

    async def _abandon(self) -> None:
        """Closes the connection and sends a cancel request in the background.

        Without it, a statement that waits for a lock would still be executed later. (A libpq before
        17 cannot send it without blocking; then `lock_timeout` ends the statement.) A pooler knows
        only connections that are open, so there the request goes first.
        """
        cancel = None
        if (
            self.pgconn.transaction_status == TransactionStatus.ACTIVE
            and capabilities.has_cancel_safe()
        ):
            with suppress(psycopg.Error):
                cancel = self.pgconn.cancel_conn()
        sending = None
        if cancel is not None:
            sending = asyncio.get_running_loop().create_task(_send(cancel))
            _cancelling.add(sending)
            sending.add_done_callback(_cancelling.discard)
        try:
            if sending is not None and not self.is_direct:
                await asyncio.wait([sending], timeout=_POOLER_WITHIN_S)
        finally:
            self.pgconn.finish()


async def _send(cancel: PGcancelConn) -> None:
    """Sends a cancel request on its own connection; gives up after a second."""
    with suppress(psycopg.Error, TimeoutError, OSError):
        async with asyncio.timeout(_CANCEL_WITHIN_S):
            cancel.start()
            await waiting.wait_conn_async(generators.cancel(cancel), _WAIT_INTERVAL_S)
    cancel.finish()
