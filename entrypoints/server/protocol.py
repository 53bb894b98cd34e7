"""uvicorn's HTTP protocol with limits that it does not have, and refusals in our envelope."""

import logging
import sys
from typing import Any, Final, cast

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from automation_retry.adapters.log import log
from automation_retry.entrypoints.clock import new_id
from automation_retry.entrypoints.server.connection_limit import ConnectionLimit
from automation_retry.entrypoints.server.progress import Answers, Body, Head, TimeLimits
from automation_retry.entrypoints.server.refusals import (
    HEAD_TOO_LARGE,
    MAX_HEAD_BYTES,
    MAX_URL_BYTES,
    TOO_MANY_CONNECTIONS,
    URL_TOO_LONG,
    Refusal,
    head_too_slow,
    malformed,
    reason_of,
)

_HEADER_OVERHEAD: Final = len(b": \r\n")
_MAX_PIPELINED: Final = 16
_MAX_TRAILERS: Final = 100
_NO_BODY: Final = frozenset({(b"content-length", b"0")})
_BODY_HEADERS: Final = frozenset({b"content-length", b"transfer-encoding"})
_HALF_CLOSED_S: Final = 0.5

_quiet = logging.getLogger("uvicorn.protocol")
_quiet.setLevel(logging.ERROR)  # refusals have a line of their own, with the address


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
        self._head = Head()
        self._body = Body()
        self._answers = Answers()
        self._piece = b""
        """The bytes that are being parsed."""
        self._running: RequestResponseCycle | None = None
        """The request that is worked on; `cycle` is the newest one, which may wait behind it."""
        self._refusal: Refusal | None = None
        """Why the parser was stopped; else it has an error of its own."""
        self._due: Refusal | None = None
        """A refusal that is sent after the answers to the requests before it."""
        self._refused = False
        self._lingers_since: float | None = None
        self._eof_since: float | None = None
        self._finishing = False

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        now = self.loop.time()
        self._head.since = now
        connections = cast("set[BoundedProtocol]", self.connections)
        if not self._limit.admits(connections, now):
            if self._limit.may_linger(connections):
                self._answer(TOO_MANY_CONNECTIONS)
            else:
                self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._running is not None and not self._running.response_complete:
            self._running.disconnected = True
            self._running.message_event.set()
        self.pipeline.clear()
        super().connection_lost(exc)

    def eof_received(self) -> bool:  # type: ignore[override]
        """A client that has sent all it will still gets the answer, if that comes soon.

        One that has gone looks alike; its request is cancelled.
        """
        if self._lingers_since is not None or self._unanswered() is None:
            return False
        self._eof_since = self.loop.time()
        self.finish()
        return True

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        requests, awaits_body = self._head.requests, self._body.since
        self._piece = data
        self._head.at_most += len(data)
        super().data_received(data)
        if bool(self._refused):  # by a callback of the parser
            return
        if self._head.since is not None:
            if self._head.requests == requests:
                self._head.at_least += len(data)
            else:
                self._head.at_most = len(data)
            if self._head.at_least > MAX_URL_BYTES + MAX_HEAD_BYTES:
                self._refuse(self._excess() or HEAD_TOO_LARGE)
        elif self._body.since is not None:
            if self._body.since == awaits_body:
                self._body.framed += len(data)
            if self._body.framing_is_excessive or len(self.headers) > _MAX_TRAILERS:
                self._refuse(malformed("Trailers or chunk extensions are too large"))
        elif self.timeout_keep_alive_task is None and self._unanswered() is None:
            self._head.since = self.loop.time()  # line feeds before a request

    def _unsupported_upgrade_warning(self) -> None:
        """Called by uvicorn: the parser has stopped. The upgrade is ignored, as HTTP allows."""
        error = sys.exc_info()[1]
        assert isinstance(error, httptools.HttpParserUpgrade)  # noqa: S101 - the caller handles it
        self._piece = self._piece[error.args[0] :]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        if self._piece:
            super().data_received(self._piece)

    def _excess(self) -> Refusal | None:
        """What is too large in a head that is complete, or in the part that has arrived."""
        if not self._head.has_begun:
            return None
        if len(self.url) > MAX_URL_BYTES:
            return URL_TOO_LONG
        if self._head.at_most <= MAX_HEAD_BYTES:
            return None
        headers = sum(len(name) + len(value) + _HEADER_OVERHEAD for name, value in self.headers)
        return HEAD_TOO_LARGE if headers > MAX_HEAD_BYTES else None

    def _unsupported(self) -> Refusal | None:
        if len(self.pipeline) >= _MAX_PIPELINED:
            return malformed(f"More than {_MAX_PIPELINED} requests wait for their answers")
        if self.parser.should_upgrade() and not _NO_BODY.issuperset(
            header for header in self.headers if header[0] in _BODY_HEADERS
        ):
            return malformed("An upgrade with a body is not supported")
        return None

    @property
    def waits_since(self) -> float | None:
        """Since when the client owes a request, or the rest of one that was answered already.

        None while a request is worked on, or an answer is on its way.
        """
        if self._unanswered() or self.transport.is_closing():
            return None
        return self._head.since or self._answers.last_at

    def on_response_complete(self) -> None:
        self._answers.last_at = self.loop.time()
        if self._due is not None and not self.pipeline and not self.transport.is_closing():
            self._answer(self._due)
        else:
            super().on_response_complete()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head.begin(self.loop.time())

    def on_headers_complete(self) -> None:
        self._refusal = self._excess() or self._unsupported()
        if self._refusal is not None:
            raise ValueError(self._refusal.message)  # the parser passes it on as its own error
        super().on_headers_complete()
        self._head.end()
        self._body.begin(self.loop.time())
        self.headers = []  # for trailers, which are no headers of the request
        if self._finishing or self.expect_100_continue:
            # A client that was not asked for its body may send it or not.
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        self._body.received += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._body.since = None
        super().on_message_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002
        """Called by uvicorn while it handles an error of the parser."""
        self._refuse(self._refusal or malformed(reason_of(sys.exc_info()[1])))

    def _refuse(self, refusal: Refusal) -> None:
        """Answers, after the answers that are due before; reads nothing more."""
        self._log(refusal)
        self._refused = True
        newest = self._unanswered()
        awaits_body = self._body.since is not None
        if newest is None:
            if awaits_body:
                self._linger()  # it was answered before its body had come
            else:
                self._answer(refusal)
        elif not awaits_body:
            self._due = refusal
        elif newest is not self._running:
            self.pipeline.popleft()
            self._due = refusal
        elif newest.response_started:
            newest.keep_alive = False
        else:
            newest.disconnected = True
            newest.message_event.set()
            self._answer(refusal)

    def _answer(self, refusal: Refusal) -> None:
        self._refused = True
        self._head.since = None
        self.transport.write(refusal.response(new_id(), self.server_state.default_headers))
        self._linger()

    def _linger(self) -> None:
        self._unset_keepalive_if_required()
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
        unsent = self.transport.get_write_buffer_size()
        if self._answers.wait_s(unsent, now) > self._times.answer:
            self.transport.abort()
        elif self.transport.is_closing():
            return
        elif self._lingers_since is not None:
            if now - self._lingers_since > self._times.linger:
                self.transport.abort()
        elif self._is_overdue(now):
            if self._head.has_begun and self._eof_since is None:
                self._refuse(head_too_slow(self._times.head))
            else:
                self.transport.close()

    def _is_overdue(self, now: float) -> bool:
        """Whether the client owes something for too long, or has gone."""
        if self._eof_since is not None:
            return now - self._eof_since > _HALF_CLOSED_S
        if self._unanswered():
            return False
        head, body = self._head.since or now, self._body.since or now
        return now - head > self._times.head or now - body > self._times.body

    def timeout_keep_alive_handler(self) -> None:
        """Called by uvicorn some time after an answer was complete, but perhaps not yet sent."""
        if self.transport.get_write_buffer_size():
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )
        else:
            super().timeout_keep_alive_handler()

    def shutdown(self) -> None:
        """Called by the server when it stops, after a while in which requests were awaited."""
        if self._lingers_since is not None or self._eof_since is not None:
            self.transport.close()
        else:
            super().shutdown()

    def close_waiting(self) -> None:
        """Ends a connection that owes a request."""
        self.transport.close()

    def finish(self) -> None:
        """From now on each answer is the connection's last."""
        self._finishing = True
        if cycle := self._unanswered():
            cycle.keep_alive = False

    def _unanswered(self) -> RequestResponseCycle | None:
        """The newest request, if it was not answered yet."""
        cycle: RequestResponseCycle | None = self.cycle
        return None if cycle is None or cycle.response_complete else cycle
