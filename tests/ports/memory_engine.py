from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from automation_retry.adapters.memory import MemoryBus, MemoryQueue
from automation_retry.application import ExecutionJob, RetriedEvent
from tests.ports.engine import Engine, Received


@asynccontextmanager
async def open_engine() -> AsyncIterator[Engine]:
    queue, bus = MemoryQueue(), MemoryBus()
    jobs, events = Received[ExecutionJob](), Received[RetriedEvent]()
    queue.subscribe(jobs.take)
    bus.subscribe(events.take)
    yield Engine(queue=queue, bus=bus, jobs=jobs, events=events)
