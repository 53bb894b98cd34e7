from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from automation_retry.adapters.memory import MemoryBroker
from automation_retry.application import ExecutionJob, Message, MessageKind, RetriedEvent
from tests.contracts.broker import BrokerUnderTest, Received
from tests.support.messages import opened


@asynccontextmanager
async def open_broker() -> AsyncIterator[BrokerUnderTest]:
    broker = MemoryBroker()
    jobs, events = Received[ExecutionJob](), Received[RetriedEvent]()

    async def take_job(message: Message) -> None:
        job = opened(message)
        assert isinstance(job, ExecutionJob)
        await jobs.take(job)

    async def take_event(message: Message) -> None:
        event = opened(message)
        assert isinstance(event, RetriedEvent)
        await events.take(event)

    broker.subscribe(MessageKind.JOB, take_job)
    broker.subscribe(MessageKind.EVENT, take_event)
    yield BrokerUnderTest(broker=broker, jobs=jobs, events=events)
