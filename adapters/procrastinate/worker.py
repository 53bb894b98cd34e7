"""A worker for engines and listeners in this process, such as the demo's."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Any

import procrastinate

from automation_retry.adapters.procrastinate.destinations import DESTINATIONS
from automation_retry.application import MessageKind

Handler = Callable[[dict[str, Any]], Awaitable[None]]
"""Takes the body of a message. One that raises fails the job for good."""

_CONCURRENCY = 4
_STALLED_AFTER_S = 30
"""Seconds without a heartbeat after which a worker counts as dead."""
_RESCUE_INTERVAL_S = 5


@asynccontextmanager
async def worker(url: str, handlers: Mapping[MessageKind, Handler]) -> AsyncIterator[None]:
    """Calls the handler of each message's kind until the context ends, four at a time.

    Messages that a dead worker had begun are handled again, so a handler may see one twice.
    """
    connector = procrastinate.PsycopgConnector(
        conninfo=url,
        max_size=_CONCURRENCY,
        kwargs={"prepare_threshold": None},  # a pooler may give each transaction another session
    )
    app = procrastinate.App(connector=connector)
    for kind, handler in handlers.items():
        destination = DESTINATIONS[kind]
        app.task(name=destination.task, queue=destination.queue)(_task(handler))
    queues = [DESTINATIONS[kind].queue for kind in handlers]
    async with app.open_async():
        work = asyncio.create_task(
            app.run_worker_async(
                queues=queues,
                concurrency=_CONCURRENCY,
                fetch_job_polling_interval=1,
                install_signal_handlers=False,
                shutdown_graceful_timeout=5,
                delete_jobs="successful",
            )
        )
        rescue = asyncio.create_task(_rescue_stalled(app, queues))
        try:
            yield
        finally:
            rescue.cancel()
            work.cancel()
            await asyncio.gather(work, rescue, return_exceptions=True)


def _task(handler: Handler) -> Callable[..., Awaitable[None]]:
    async def handle(**body: Any) -> None:
        await handler(body)

    return handle


async def _rescue_stalled(app: procrastinate.App, queues: Collection[str]) -> None:
    """Queues again what a dead worker had begun."""
    jobs = app.job_manager
    while True:
        with contextlib.suppress(procrastinate.exceptions.ConnectorException):
            for job in await jobs.get_stalled_jobs(seconds_since_heartbeat=_STALLED_AFTER_S):
                if job.queue in queues:
                    await jobs.retry_job(job)
        await asyncio.sleep(_RESCUE_INTERVAL_S)
