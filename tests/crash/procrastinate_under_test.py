import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import procrastinate

from automation_retry.adapters.procrastinate.destinations import (
    EVENT_QUEUE,
    EVENT_TASK,
    JOB_QUEUE,
    JOB_TASK,
)
from automation_retry.application import MessageKind
from tests.crash.broker_under_test import BrokerUnderTest, RoundDatabase
from tests.crash.consumer_log import ConsumerLog

_POLL_S = 0.5


@asynccontextmanager
async def procrastinate_under_test() -> AsyncIterator[BrokerUnderTest]:
    """Lives in PostgreSQL: it has no server of its own to kill."""
    yield BrokerUnderTest(
        consumers=(_consume,),
        variables={
            "AUTOMATION_RETRY_JOB_QUEUE": "procrastinate",
            "AUTOMATION_RETRY_EVENT_BUS": "procrastinate",
        },
    )


async def _consume(database: RoundDatabase, log: ConsumerLog) -> None:
    await database.up.wait()
    connector = procrastinate.PsycopgConnector(
        conninfo=database.url, min_size=1, max_size=4, timeout=2, reconnect_timeout=1
    )
    app = procrastinate.App(connector=connector)

    @app.task(name=JOB_TASK, queue=JOB_QUEUE)
    async def execute(**body: Any) -> None:
        log.receive(MessageKind.JOB, body)

    @app.task(name=EVENT_TASK, queue=EVENT_QUEUE)
    async def hear(**body: Any) -> None:
        log.receive(MessageKind.EVENT, body)

    async with app.open_async():
        # This is the only worker, so whatever is marked as running was begun before the outage.
        for job in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=0):
            await app.job_manager.retry_job(job)
        async with asyncio.TaskGroup() as workers:
            for queue in (JOB_QUEUE, EVENT_QUEUE):
                # One at a time, so that they are recorded in the order of the queue.
                worker = app.run_worker_async(
                    queues=[queue],
                    concurrency=1,
                    fetch_job_polling_interval=_POLL_S,
                    install_signal_handlers=False,
                    shutdown_graceful_timeout=1,
                    delete_jobs="always",
                )
                workers.create_task(worker, name=queue)
