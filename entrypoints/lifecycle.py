"""Opening and closing what a container is made of."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

import structlog

from automation_retry.adapters.embedded import EmbeddedPostgres
from automation_retry.entrypoints.container import Container
from automation_retry.entrypoints.settings import Engine, Settings, StorageKind

_log = structlog.get_logger()


@contextmanager
def running_database(settings: Settings) -> Iterator[Settings]:
    """The settings with the URL of a running server, started where `embedded:PATH` asks for one.

    Blocks while the server starts and stops.

    Raises:
        EmbeddedPostgresError: it cannot be started; the message says what to do.
    """
    if settings.database_url.kind is not StorageKind.EMBEDDED:
        yield settings
        return
    with EmbeddedPostgres(settings.database_url.path) as url:
        yield settings.on_server(url)


async def migrate(container: Container) -> list[str]:
    """Brings all tables to what this version needs; the names of what was applied.

    Raises:
        StorageUnavailable: the database did not answer.
    """
    settings = container.settings()
    if settings.database_url.kind is StorageKind.MEMORY:
        return []
    applied = await container.schema().migrate()
    if Engine.PROCRASTINATE in settings.engines:
        applied += await container.procrastinate_schema().migrate()
    return applied


async def migrate_database(settings: Settings) -> list[str]:
    """`migrate` for a database that nothing here has opened yet."""
    container = Container(settings=settings)
    async with opened(container, relay=False):
        return await migrate(container)


@asynccontextmanager
async def opened(container: Container, *, relay: bool) -> AsyncIterator[None]:
    """Opens a container's pool and, with `relay`, delivers from its outbox until the end."""
    async with AsyncExitStack() as stack:
        if container.settings().database_url.kind is not StorageKind.MEMORY:
            await container.database().open()
            stack.push_async_callback(container.database().close)
            stack.push_async_callback(container.authenticator().settle)
        if relay:
            await stack.enter_async_context(_open_brokers(container))
            await stack.enter_async_context(_relaying(container))
        yield


@asynccontextmanager
async def _open_brokers(container: Container) -> AsyncIterator[None]:
    """Connects to the chosen brokers; one that is away is told in the log and waited for later."""
    settings = container.settings()
    async with AsyncExitStack() as stack:
        for engine, connection in (
            (Engine.REDIS, container.redis_connection),
            (Engine.NATS, container.nats_connection),
        ):
            if engine not in settings.engines:
                continue
            await connection().open()
            stack.push_async_callback(connection().close)
            for chosen, port in (
                (settings.job_engine, container.queue),
                (settings.event_engine, container.bus),
            ):
                # Looking makes the streams, so that consumers find them before the first message.
                if chosen is engine and (problem := await port().problem()):
                    _log.warning("engine is not ready", engine=engine.value, reason=problem)
        yield


@asynccontextmanager
async def _relaying(container: Container) -> AsyncIterator[None]:
    relay = container.relay()
    task = asyncio.create_task(relay.run(), name="relay")
    try:
        yield
    finally:
        relay.stop()
        _, running = await asyncio.wait([task], timeout=container.settings().shutdown_grace_s)
        if running:
            # Its claims are given back, so another relay delivers what this one could not.
            _log.warning("relay did not finish in time")
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def open_container(settings: Settings, *, relay: bool = False) -> AsyncIterator[Container]:
    """Everything for use inside another Python service, without HTTP; closed at the end.

    An `embedded:` database is started, and migrated, since nobody else could have done it. Any
    other must have been migrated before. Where `relay` is false, another process must relay.

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
