import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import procrastinate
from attrs import field, frozen

from automation_retry.adapters.wire.messages import body_of
from automation_retry.application import Message, MessageKind
from tests.benchmarks.arena import Arena
from tests.benchmarks.brokers.bare_broker import BareBroker, Received

_JOB_TASK: Final = "automation.execute_execution"
_JOB_QUEUE: Final = "automation.executions"
_TASKS: Final = {
    MessageKind.JOB: (_JOB_TASK, _JOB_QUEUE),
    MessageKind.EVENT: ("automation.execution.retried", "automation.events"),
}


@frozen
class BareProcrastinate(BareBroker):
    app: procrastinate.App
    variables: Mapping[str, str] = field(factory=dict)

    async def send(self, messages: Sequence[Message]) -> None:
        task, queue = _TASKS[messages[0].kind]
        deferrer = self.app.configure_task(task, queue=queue)
        await deferrer.batch_defer_async(*[body_of(message) for message in messages])

    @asynccontextmanager
    async def consuming(self, received: Received) -> AsyncIterator[None]:
        async def execute(**job: Any) -> None:
            received(job)

        self.app.task(name=_JOB_TASK, queue=_JOB_QUEUE)(execute)
        worker = asyncio.create_task(
            self.app.run_worker_async(queues=[_JOB_QUEUE], install_signal_handlers=False)
        )
        await asyncio.sleep(1)  # nothing tells when it has begun to listen
        try:
            yield
        finally:
            worker.cancel()
            await asyncio.gather(worker, return_exceptions=True)


@asynccontextmanager
async def running_procrastinate(arena: Arena) -> AsyncIterator[BareProcrastinate]:
    """Procrastinate in the arena's database, as the service uses it."""
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=arena.url))
    async with app.open_async():
        yield BareProcrastinate(app)
