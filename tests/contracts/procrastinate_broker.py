import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import procrastinate

from automation_retry.adapters.postgres import Database
from automation_retry.adapters.procrastinate.broker import ProcrastinateBroker
from automation_retry.application import ExecutionJob, RetriedEvent
from tests.contracts.broker import BrokerUnderTest, Received
from tests.support.messages import read_event, read_job


@asynccontextmanager
async def open_broker(url: str) -> AsyncIterator[BrokerUnderTest]:
    """The broker in a migrated database, with a worker as any application would run one."""
    jobs, events = Received[ExecutionJob](), Received[RetriedEvent]()
    # As the README says for workers behind a pooler.
    app = procrastinate.App(
        connector=procrastinate.PsycopgConnector(conninfo=url, kwargs={"prepare_threshold": None})
    )

    @app.task(name="automation.execute_execution", queue="automation.executions")
    async def execute(**body: Any) -> None:
        await jobs.take(read_job(body))

    @app.task(name="automation.execution.retried", queue="automation.events")
    async def hear(**body: Any) -> None:
        await events.take(read_event(body))

    database = Database(url)
    await database.open()
    async with app.open_async():
        worker = asyncio.create_task(
            app.run_worker_async(
                install_signal_handlers=False, listen_notify=False, fetch_job_polling_interval=0.1
            )
        )
        try:
            yield BrokerUnderTest(
                broker=ProcrastinateBroker(database.joined), jobs=jobs, events=events
            )
        finally:
            worker.cancel()
            await asyncio.gather(worker, return_exceptions=True)
            await database.close()
