"""Opens and closes the parts of a container."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

import structlog

from automation_retry.adapters.embedded import EmbeddedPostgres
from automation_retry.application.ports import Lifecycle
from automation_retry.entrypoints.container import Container
from automation_retry.entrypoints.settings import Settings, StorageKind

_log = structlog.get_logger()


@contextmanager
def running_database(settings: Settings) -> Iterator[Settings]:
    """The settings with the URL of a running server, which is started for `embedded:PATH`.

    Blocks while the server starts and stops.

    Raises:
        EmbeddedPostgresError: it cannot be started; the message says what to do.
    """
    if settings.database_url.kind is not StorageKind.EMBEDDED:
        yield settings
        return
    with EmbeddedPostgres(settings.database_url.path) as url:
        yield settings.on_server(url)


async def migrate(container: Container) -> Sequence[str]:
    """Brings all tables to what this version needs; returns the names of what was applied.

    Raises:
        StorageUnavailable: the database did not answer.
    """
    return [name for schema in container.schemas() for name in await schema.migrate()]


async def migrate_database(settings: Settings) -> Sequence[str]:
    """`migrate` for a database that is not open yet."""
    container = Container(settings=settings)
    async with opened(container, relay=False):
        return await migrate(container)


@asynccontextmanager
async def opened(container: Container, *, relay: bool) -> AsyncIterator[None]:
    """Opens the storage and, with `relay`, the brokers and the background loops."""
    async with AsyncExitStack() as stack:
        await _open(stack, container.storage().lifecycle)
        if relay:
            await _open_brokers(stack, container)
            await stack.enter_async_context(_running_loops(container))
        yield


async def _open(stack: AsyncExitStack, lifecycle: Lifecycle) -> None:
    await lifecycle.open()
    stack.push_async_callback(lifecycle.close)


async def _open_brokers(stack: AsyncExitStack, container: Container) -> None:
    """Connects to the brokers. One that is down is logged; the relay goes on trying."""
    for broker in container.brokers().all:
        await _open(stack, broker.lifecycle)
        # Asking also creates streams, so that consumers find them before the first message.
        for problem in await broker.readiness.problems():
            # The event and its field `engine` are public names from before brokers were called so.
            _log.warning(
                "engine is not ready", engine=broker.name, broker=broker.name, reason=problem
            )


@asynccontextmanager
async def _running_loops(container: Container) -> AsyncIterator[None]:
    supervisor = container.supervisor()
    task = asyncio.create_task(supervisor.run(), name="supervisor")
    try:
        yield
    finally:
        supervisor.stop()
        _, running = await asyncio.wait([task], timeout=container.settings().shutdown_grace_s)
        if running:
            # Its claims are released, so another relay delivers what this one could not.
            _log.warning("relay did not finish in time")
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def open_container(settings: Settings, *, relay: bool = False) -> AsyncIterator[Container]:
    """All parts of the service, opened, without HTTP; closed at the end.

    An `embedded:` database is started and migrated; any other must have been migrated before. Where
    `relay` is false, another process must relay.

    Raises:
        EmbeddedPostgresError: an embedded database cannot be started.
        StorageUnavailable: an embedded database cannot be migrated.
    """
    database = running_database(settings)
    running = await asyncio.to_thread(database.__enter__)
    try:
        if settings.database_url.kind is StorageKind.EMBEDDED:
            await migrate_database(running)
        container = Container(settings=running)
        async with opened(container, relay=relay):
            yield container
    finally:
        await asyncio.to_thread(database.__exit__, None, None, None)
