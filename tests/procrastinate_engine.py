import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import procrastinate

from automation_retry.adapters.json_codec import message_from
from automation_retry.adapters.postgres import Database
from automation_retry.adapters.procrastinate import ProcrastinateBus, ProcrastinateQueue
from automation_retry.application import ExecutionJob, MessageKind, RetriedEvent
from tests.ports.engine import Engine, Received


@asynccontextmanager
async def open_engine(url: str) -> AsyncIterator[Engine]:
    """The engine in a migrated database, with a worker as anybody would run one."""
    jobs, events = Received[ExecutionJob](), Received[RetriedEvent]()
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=url))

    @app.task(name="automation.execute_execution", queue="automation.executions")
    async def execute(**body: Any) -> None:
        message = message_from(MessageKind.JOB, body)
        assert isinstance(message, ExecutionJob)
        await jobs.take(message)

    @app.task(name="automation.execution.retried", queue="automation.events")
    async def hear(**body: Any) -> None:
        message = message_from(MessageKind.EVENT, body)
        assert isinstance(message, RetriedEvent)
        await events.take(message)

    database = Database(url)
    await database.open()
    async with app.open_async():
        worker = asyncio.create_task(app.run_worker_async(install_signal_handlers=False))
        try:
            yield Engine(
                queue=ProcrastinateQueue(database.joined),
                bus=ProcrastinateBus(database.joined),
                jobs=jobs,
                events=events,
            )
        finally:
            worker.cancel()
            await asyncio.gather(worker, return_exceptions=True)
            await database.close()
