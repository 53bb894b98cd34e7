import asyncio
import gc
import logging
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from functools import partial

from starlette.applications import Starlette

from automation_retry.adapters.log import log
from automation_retry.entrypoints.container import Container
from automation_retry.entrypoints.http import create_app
from automation_retry.entrypoints.lifecycle import opened
from automation_retry.entrypoints.logging import configure_logging
from automation_retry.entrypoints.server.sockets import address_of, ignore_new_clients
from automation_retry.entrypoints.server.stoppable import StoppableServer, server_config
from automation_retry.entrypoints.settings import Settings
from automation_retry.entrypoints.stop import Stop
from automation_retry.entrypoints.workers import Workers

Surroundings = Callable[[Container], AbstractAsyncContextManager[None]]
"""A context that is entered with the application and left with it, in its event loop."""


def application(container: Container, surroundings: Surroundings | None = None) -> Starlette:
    """The ASGI application of a container, which its lifespan opens and closes."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        stop = container.stop()
        stop.begin_on_signals()
        relay = container.settings().relay
        async with (
            opened(container, relay=relay, on_lost=stop.fail),
            container.readiness().watched(),
        ):
            if surroundings is None:
                yield
            else:
                async with surroundings(container):
                    yield

    return create_app(container.api(), lifespan)


def _freeze_garbage_collection() -> None:
    """Exempts what lives as long as the process from collection, which would delay requests."""
    gc.collect()
    gc.freeze()


def serve_here(  # noqa: PLR0913 - options with defaults
    settings: Settings,
    listening: socket.socket,
    *,
    stop: Stop,
    surroundings: Surroundings | None = None,
    on_started: Callable[[], None] = lambda: None,
    shares_socket: bool = False,
) -> None:
    """Serves in this process until SIGINT or SIGTERM, then finishes the requests in progress.

    Raises:
        SystemExit: with status 1, when it could not start or had to stop because of a failure.
    """
    app = application(Container(settings=settings, stop=stop), surroundings)
    server = StoppableServer(server_config(app, settings), stop, shares_socket=shares_socket)
    _freeze_garbage_collection()
    with _signals_end_only(server):
        server.run(sockets=[listening], on_started=on_started)
    if stop.failed or not server.started:
        raise SystemExit(1)


def serve_in_workers(
    settings: Settings, listening: socket.socket, workers: int, *, stop: Stop
) -> None:
    """Serves in `workers` processes, each with its pool and its relay, until SIGINT or SIGTERM."""

    def announce() -> None:
        log(logging.INFO, "serving", address=address_of(listening), workers=workers)

    def stop_listening() -> None:
        ignore_new_clients(listening)
        listening.close()

    # While any process has the socket open, connections go on to be accepted by the kernel.
    Workers(
        partial(_serve_as_worker, settings, listening), workers, stop, announce, stop_listening
    ).run()


def _serve_as_worker(
    settings: Settings, listening: socket.socket, on_started: Callable[[], None]
) -> None:
    """Serves in this process. Settings are not read again: a file may have been for one reader."""
    configure_logging(settings.log_format, settings.log_level)
    stop = Stop(settings.shutdown_grace_s)
    serve_here(settings, listening, stop=stop, on_started=on_started, shares_socket=True)


@contextmanager
def _signals_end_only(server: StoppableServer) -> Iterator[None]:
    # A signal may come before uvicorn listens for it. Afterwards uvicorn raises the signal that
    # stopped it again, for the handlers that it had replaced; a clean shutdown is to exit 0.
    handled = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, server.handle_exit) for number in handled}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


async def relay_until_signalled(settings: Settings, stop: Stop) -> None:
    """Relays, without an API, until SIGINT or SIGTERM."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()

    def end() -> None:
        stop.begin()
        stopping.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end)
    container = Container(settings=settings, stop=stop)
    async with opened(container, relay=True, on_lost=stop.fail), container.readiness().watched():
        log(logging.INFO, "relaying")
        await stopping.wait()
    if stop.failed:
        raise SystemExit(1)
