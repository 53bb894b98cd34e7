import asyncio
import logging
import socket
from collections.abc import Callable, Sequence
from functools import partial
from types import FrameType
from typing import Any, Final, cast

import uvicorn

from automation_retry.adapters.log import log
from automation_retry.entrypoints.server.connection_limit import ConnectionLimit, most_connections
from automation_retry.entrypoints.server.progress import TimeLimits
from automation_retry.entrypoints.server.protocol import BoundedProtocol
from automation_retry.entrypoints.server.sockets import address_of, ignore_new_clients
from automation_retry.entrypoints.settings import Settings
from automation_retry.entrypoints.stop import Stop

_ENFORCE_EVERY: Final = 5
"""Ticks of the server, of 0.1 s."""
_LATE_S: Final = 1.0
_LINGER_S: Final = 1.0
"""How long idle connections stay open in a stop, for requests that are on their way."""
_POLL_S: Final = 0.02


def server_config(app: Any, settings: Settings, times: TimeLimits | None = None) -> uvicorn.Config:
    """How each process serves `app`."""
    limit = ConnectionLimit(most_connections(settings.pool_max_size))
    return uvicorn.Config(
        app,
        http=cast(
            "type[asyncio.Protocol]",
            partial(BoundedProtocol, limit=limit, times=times or TimeLimits()),
        ),
        lifespan="on",
        ws="none",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
    )


class StoppableServer(uvicorn.Server):
    """A server that enforces the limits of its connections, and whose stop resets none.

    uvicorn closes the listening socket with the connections that wait in its backlog, and idle
    connections while requests are on their way.
    """

    def __init__(self, config: uvicorn.Config, stop: Stop, *, shares_socket: bool = False) -> None:
        """`shares_socket` is for one of several processes, which may stop while others go on."""
        super().__init__(config)
        self._shares_socket = shares_socket
        self._stop = stop
        self._on_started: Callable[[], None] = lambda: None
        self._ticked_at = 0.0

    def run(
        self,
        sockets: list[socket.socket] | None = None,
        on_started: Callable[[], None] = lambda: None,
    ) -> None:
        """Blocks until SIGINT or SIGTERM."""
        self._on_started = on_started
        super().run(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # At a second SIGINT uvicorn would leave the application open. It ends by its deadline.
        if not self.should_exit:
            super().handle_exit(sig, frame)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and sockets:
            log(logging.INFO, "serving", address=address_of(sockets[0]))
            self._on_started()

    async def on_tick(self, counter: int) -> bool:
        now = asyncio.get_running_loop().time()
        # After a stall, what clients have sent meanwhile has not been read yet.
        is_late, self._ticked_at = now - self._ticked_at > _LATE_S, now
        if counter % _ENFORCE_EVERY == 0 and not is_late:
            for connection in self._connections():
                connection.enforce_limits(now)
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._stop.begin()
        await self._stop_listening(sockets or [])
        for connection in self._connections():
            connection.finish()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + min(_LINGER_S, self._stop.left_s)
        while self.server_state.connections and loop.time() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(_POLL_S)
        # uvicorn waits for as long; it takes fractions of a second as well.
        self.config.timeout_graceful_shutdown = cast("int", self._stop.left_s)
        await super().shutdown(sockets)

    async def _stop_listening(self, sockets: Sequence[socket.socket]) -> None:
        """Accepts what is in the backlog; between the last of it and closing nothing is awaited."""
        for listening in () if self._shares_socket else sockets:
            ignore_new_clients(listening)
        accepted = [one for listening in sockets for one in _backlog(listening)]
        for server in self.servers:
            server.close()
        for listening in sockets:
            listening.close()
        loop = asyncio.get_running_loop()
        for connection in accepted:
            await loop.connect_accepted_socket(self._new_protocol, connection)

    def _new_protocol(self) -> asyncio.Protocol:
        return self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )

    def _connections(self) -> Sequence[BoundedProtocol]:
        return cast("list[BoundedProtocol]", list(self.server_state.connections))


def _backlog(listening: socket.socket) -> Sequence[socket.socket]:
    accepted: list[socket.socket] = []
    while True:
        try:
            connection, _ = listening.accept()
        except BlockingIOError:
            return accepted
        except OSError as error:  # there is no descriptor left: those that wait are reset
            log(logging.WARNING, "connections are reset by the stop", reason=error.strerror)
            return accepted
        connection.setblocking(False)  # noqa: FBT003
        accepted.append(connection)
