import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import procrastinate
from attrs import field, frozen

from automation_retry.application import MessageKind
from tests.benchmarks.arena import Arena
from tests.benchmarks.engines.engine import Arrived, BareEngine

_JOB_TASK: Final = "automation.execute_execution"
_JOB_QUEUE: Final = "automation.executions"
_TASKS: Final = {
    MessageKind.JOB: (_JOB_TASK, _JOB_QUEUE),
    MessageKind.EVENT: ("automation.execution.retried", "automation.events"),
}


@frozen
class BareProcrastinate(BareEngine):
    app: procrastinate.App
    variables: Mapping[str, str] = field(factory=dict)

    async def hand_over(self, kind: MessageKind, bodies: Sequence[dict[str, Any]]) -> None:
        task, queue = _TASKS[kind]
        await self.app.configure_task(task, queue=queue).batch_defer_async(*bodies)

    @asynccontextmanager
    async def consuming(self, arrived: Arrived) -> AsyncIterator[None]:
        async def execute(**job: Any) -> None:
            arrived(job)

        self.app.task(name=_JOB_TASK, queue=_JOB_QUEUE)(execute)
        worker = asyncio.create_task(
            self.app.run_worker_async(queues=[_JOB_QUEUE], install_signal_handlers=False)
        )
        await asyncio.sleep(1)  # it says nowhere when it has begun to listen
        try:
            yield
        finally:
            worker.cancel()
            await asyncio.gather(worker, return_exceptions=True)


@asynccontextmanager
async def running_procrastinate(arena: Arena) -> AsyncIterator[BareProcrastinate]:
    """In the arena's own database, as the service uses it."""
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=arena.url))
    async with app.open_async():
        yield BareProcrastinate(app)
