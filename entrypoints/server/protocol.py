"""uvicorn's HTTP protocol with limits that it does not have, and refusals in our envelope."""

import logging
import sys
from typing import Any, Final, cast

import httptools
from attrs import frozen
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from automation_retry.adapters.log import log
from automation_retry.entrypoints.clock import new_id
from automation_retry.entrypoints.server.connection_limit import ConnectionLimit
from automation_retry.entrypoints.server.refusals import (
    HEAD_TOO_LARGE,
    MAX_HEAD_BYTES,
    MAX_URL_BYTES,
    TOO_MANY_CONNECTIONS,
    URL_TOO_LONG,
    Refusal,
    head_too_slow,
    malformed,
)

_HEADER_OVERHEAD: Final = len(b": \r\n")

_quiet = logging.getLogger("uvicorn.protocol")
_quiet.setLevel(logging.ERROR)  # refusals have a line of their own, with the address


@frozen(kw_only=True)
class TimeLimits:
    """How long a client may take, in seconds."""

    head: float = 10.0
    """From the connection, or the first byte of a further request, to the end of the headers."""
    body: float = 30.0
    """From there to the end of the body."""
    linger: float = 2.0
    """What a refused client still sends is read for so long: a reset could overtake the answer."""


class BoundedProtocol(HttpToolsProtocol):
    """One connection. Its limits hold whatever the application does.

    Times are enforced by `enforce_limits`, which the server calls regularly: a timer for each
    request would cost more than the rest.
    """

    def __init__(
        self, *arguments: Any, limit: ConnectionLimit, times: TimeLimits, **options: Any
    ) -> None:
        super().__init__(*arguments, **options)
        self.logger = _quiet
        self._limit = limit
        self._times = times
        self._head_since: float | None = None
        """Since when the head of a request is awaited, if not on an idle connection."""
        self._body_since: float | None = None
        """Since when a body is awaited; None after it has arrived."""
        self._idle_since: float | None = None
        """When the last answer was complete."""
        self._head_has_begun = False
        self._head_bytes = 0
        """Received of a head that is not complete, but for the piece in which it began."""
        self._received = 0
        """The same with the piece that is being parsed, which may also hold other requests."""
        self._begun = 0
        """Requests whose first byte has arrived."""
        self._refusal: Refusal | None = None
        self._refused = False
        self._lingers_since: float | None = None
        self._finishing = False

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        now = self.loop.time()
        self._head_since = now
        connections = cast("set[BoundedProtocol]", self.connections)
        if not self._limit.admits(connections, now):
            if self._limit.may_linger(connections):
                self._answer(TOO_MANY_CONNECTIONS)
            else:
                self.transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        begun = self._begun
        self._received = self._head_bytes + len(data)
        super().data_received(data)
        if self._head_since is not None and self._begun == begun:
            self._head_bytes = self._received
            if self._head_bytes > MAX_HEAD_BYTES and not self._refused:
                excess = self._excess() if self._head_has_begun else None
                self._refuse(excess or HEAD_TOO_LARGE)
        elif self.timeout_keep_alive_task is None and self._is_idle():
            self._head_since = self.loop.time()  # line feeds before a request

    def _excess(self) -> Refusal | None:
        """What is too large in the head that is complete, or in the part that has arrived."""
        if len(self.url) > MAX_URL_BYTES:
            return URL_TOO_LONG
        if self._received <= MAX_HEAD_BYTES:  # the bytes of this head, and perhaps of others
            return None
        headers = sum(len(name) + len(value) + _HEADER_OVERHEAD for name, value in self.headers)
        return HEAD_TOO_LARGE if headers > MAX_HEAD_BYTES else None

    def _is_idle(self) -> bool:
        return (
            self._head_since is None
            and self._body_since is None
            and self._idle_since is not None
            and self.cycle.response_complete
        )

    @property
    def waits_since(self) -> float | None:
        """Since when the client owes a request, or the rest of one that was answered already.

        None while a request is worked on.
        """
        if self._head_since is not None:
            return self._head_since
        if self._idle_since is None or self._unanswered():
            return None
        return self._idle_since

    def on_response_complete(self) -> None:
        self._idle_since = self.loop.time()
        super().on_response_complete()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._begun += 1
        self._head_has_begun = True
        self._head_bytes = 0
        if self._head_since is None:
            self._head_since = self.loop.time()

    def on_headers_complete(self) -> None:
        self._refusal = self._excess()
        if self._refusal is not None:
            raise ValueError(self._refusal.message)  # the parser passes it on as its own error
        self._head_has_begun = False
        self._head_since = None
        self._body_since = self.loop.time()
        super().on_headers_complete()
        if self._finishing:
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        self._body_since = None
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002
        """Called by uvicorn while it handles an error of the parser."""
        self._refuse(self._refusal or malformed(_reason(sys.exc_info()[1])))

    def _refuse(self, refusal: Refusal) -> None:
        """Answers, unless that would end in the midst of an earlier answer; reads nothing more."""
        self._log(refusal)
        self._refused = True
        cycle = self._unanswered()
        if cycle is not None:
            if self._body_since is None or cycle.response_started:
                cycle.keep_alive = False
                return
            cycle.disconnected = True
            cycle.message_event.set()
        self._answer(refusal)

    def _answer(self, refusal: Refusal) -> None:
        self._refused = True
        self._head_since = None
        self._unset_keepalive_if_required()
        self.transport.write(refusal.response(new_id(), self.server_state.default_headers))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._lingers_since = self.loop.time()

    def _log(self, refusal: Refusal) -> None:
        log(
            logging.WARNING,
            "request refused",
            client=self.client[0] if self.client else None,
            status=int(refusal.status),
            reason=refusal.message,
        )

    def enforce_limits(self, now: float) -> None:
        """Ends what has taken too long."""
        if self.transport.is_closing():
            return
        if self._lingers_since is not None:
            if now - self._lingers_since > self._times.linger:
                self.transport.abort()
        elif self._head_since is not None and now - self._head_since > self._times.head:
            if self._head_has_begun:
                self._refuse(head_too_slow(self._times.head))
            else:
                self.transport.close()
        elif (
            self._body_since is not None
            and now - self._body_since > self._times.body
            and self.cycle.response_complete
        ):
            self.transport.close()

    def close_waiting(self) -> None:
        """Ends a connection that owes a request."""
        self.transport.close()

    def finish(self) -> None:
        """From now on each answer is the connection's last."""
        self._finishing = True
        if cycle := self._unanswered():
            cycle.keep_alive = False

    def _unanswered(self) -> RequestResponseCycle | None:
        cycle: RequestResponseCycle | None = self.cycle
        return None if cycle is None or cycle.response_complete else cycle


def _reason(error: BaseException | None) -> str:
    """What the parser says; it says nothing of what failed in a callback: reading the URL."""
    if error is None or isinstance(error, httptools.HttpParserCallbackError):
        return "Invalid URL"
    return str(error)
