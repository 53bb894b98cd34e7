"""Opens and closes the parts of a container."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

from automation_retry.adapters.embedded import EmbeddedPostgres
from automation_retry.adapters.log import log
from automation_retry.application.ports import Lifecycle, Tell
from automation_retry.entrypoints.container import Container
from automation_retry.entrypoints.settings import Settings, StorageKind
from automation_retry.entrypoints.stop import Stop

_CLOSE_WITHIN_S = 2.0
"""Time to close connections, even after the grace period."""


@contextmanager
def running_database(settings: Settings, stop: Stop) -> Iterator[Settings]:
    """The settings with the URL of a running server, which is started for `embedded:PATH`.

    Blocks while the server starts and stops; stopping takes no longer than `stop` allows.

    Raises:
        EmbeddedPostgresError: it cannot be started; the message says what to do.
    """
    if settings.database_url.kind is not StorageKind.EMBEDDED:
        yield settings
        return
    server = EmbeddedPostgres(settings.database_url.path)
    try:
        yield settings.on_server(server.start())
    finally:
        server.stop(within_s=stop.left_s)


async def migrate(container: Container, tell: Tell | None = None) -> Sequence[str]:
    """Brings all tables to what this version needs; returns the names of what was applied.

    `tell` gets a line for each step; without it, those of building indexes are logged, which may
    take long.

    Raises:
        SchemaRefused: a database cannot be migrated as it is.
        StorageUnavailable: the database did not answer.
    """
    applied: list[str] = []
    for schema in container.schemas():
        names = await schema.migrate()
        applied += names
        if tell:
            for name in names:
                tell(f"applied {name}")
    for schema in container.schemas():
        applied += await schema.build_indexes(tell or _log_step)
    return applied


def _log_step(line: str) -> None:
    log(logging.INFO, "migration", step=line)


async def migrate_database(settings: Settings, tell: Tell | None = None) -> Sequence[str]:
    """`migrate` for a database that is not open yet; one that cannot be reached is an error."""
    container = Container(settings=settings, fail_fast=True)
    async with opened(container, relay=False):
        return await migrate(container, tell)


async def migration_script(settings: Settings) -> str:
    """What `migrate_database` would do, as SQL; empty if nothing is due. Changes nothing."""
    container = Container(settings=settings, fail_fast=True)
    async with opened(container, relay=False):
        scripts = [await schema.script() for schema in container.schemas()]
    return "".join([*(one.migrations for one in scripts), *(one.indexes for one in scripts)])


@asynccontextmanager
async def opened(
    container: Container, *, relay: bool, on_lost: Callable[[], None] | None = None
) -> AsyncIterator[None]:
    """Opens the storage and, with `relay`, the brokers and the background loops.

    `on_lost` is called if the loops ended without having been stopped, for which no cause is known.
    Everything is closed by the deadline of the container's `stop`.
    """
    async with AsyncExitStack() as stack:
        await _open(stack, container.storage().lifecycle, container.stop())
        if relay:
            await _open_brokers(stack, container)
            await stack.enter_async_context(_running_loops(container, on_lost))
        stack.callback(container.stop().begin)
        yield


async def _open(stack: AsyncExitStack, lifecycle: Lifecycle, stop: Stop) -> None:
    async def close() -> None:
        try:
            async with asyncio.timeout(max(stop.left_s, _CLOSE_WITHIN_S)):
                await lifecycle.close()
        except TimeoutError:
            log(logging.WARNING, "connections were not closed in time")

    await lifecycle.open()
    stack.push_async_callback(close)


async def _open_brokers(stack: AsyncExitStack, container: Container) -> None:
    """Connects to the brokers. One that is down is logged; the relay goes on trying."""
    for broker in container.brokers().all:
        await _open(stack, broker.lifecycle, container.stop())
        # Asking also creates streams, so that consumers find them before the first message.
        for problem in await broker.readiness.problems():
            # The event and its field `engine` are public names from before brokers were called so.
            log(
                logging.WARNING,
                "engine is not ready",
                engine=broker.name,
                broker=broker.name,
                reason=problem,
            )


@asynccontextmanager
async def _running_loops(
    container: Container, on_lost: Callable[[], None] | None
) -> AsyncIterator[None]:
    supervisor = container.supervisor()
    task = asyncio.create_task(supervisor.run(), name="supervisor")

    def lost(ended: asyncio.Task[None]) -> None:
        failure = None if ended.cancelled() else ended.exception()
        log(logging.CRITICAL, "background loops ended", exc_info=failure)
        if on_lost:
            on_lost()

    task.add_done_callback(lost)
    try:
        yield
    finally:
        task.remove_done_callback(lost)
        supervisor.stop()
        _, running = await asyncio.wait([task], timeout=container.stop().left_s)
        if running:
            # Its claims are released, so another relay delivers what this one could not.
            log(logging.WARNING, "relay did not finish in time")
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def open_container(
    settings: Settings, *, relay: bool = False, fail_fast: bool = False
) -> AsyncIterator[Container]:
    """All parts of the service, opened, without HTTP; closed at the end.

    An `embedded:` database is started and migrated; any other must have been migrated before. Where
    `relay` is false, another process must relay. With `fail_fast`, a database that cannot be
    reached now is an error.

    Raises:
        EmbeddedPostgresError: an embedded database cannot be started.
        StorageUnavailable: an embedded database cannot be migrated, or see `fail_fast`.
    """
    stop = Stop(settings.shutdown_grace_s)
    database = running_database(settings, stop)
    running = await asyncio.to_thread(database.__enter__)
    try:
        if settings.database_url.kind is StorageKind.EMBEDDED:
            await migrate_database(running)
        container = Container(settings=running, stop=stop, fail_fast=fail_fast)
        async with opened(container, relay=relay):
            yield container
    finally:
        await asyncio.to_thread(database.__exit__, None, None, None)
