"""The loop around the outbox: it delivers, waits out an outage, and stops without loss."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from attrs import define, field

from automation_retry.adapters.memory import (
    MemoryBus,
    MemoryIdempotencyKeys,
    MemoryOutbox,
    MemoryStore,
    MemoryUnitOfWork,
)
from automation_retry.application import (
    EngineUnavailable,
    ExecutionJob,
    ExpireIdempotencyKeys,
    MessageKind,
    RelayOutbox,
)
from automation_retry.application.ports import ExecutionQueue
from automation_retry.entrypoints.relay import Relay, WakeUp
from tests.factories import NOON, RetryWrite, a_failed_execution, a_retry_write


@define
class Broker(ExecutionQueue):
    """A queue that can be away, can break in ways nobody foresaw, and can be slow."""

    errors: list[Exception] = field(factory=list)
    """Raised one by one, before it works."""
    taken: asyncio.Queue[ExecutionJob] = field(factory=asyncio.Queue)
    open: asyncio.Event = field(factory=asyncio.Event)
    entered: asyncio.Event = field(factory=asyncio.Event)

    async def enqueue(self, jobs: Sequence[ExecutionJob]) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.entered.set()
        await self.open.wait()
        for job in jobs:
            self.taken.put_nowait(job)


@define
class Setting:
    broker: Broker = field(factory=Broker)
    store: MemoryStore = field(factory=MemoryStore)
    wake_up: WakeUp = field(factory=WakeUp)
    relay: Relay = field(init=False)

    def __attrs_post_init__(self) -> None:
        relay_outbox = RelayOutbox(MemoryOutbox(self.store), self.broker, MemoryBus())
        # Nobody waits an hour: what is delivered was announced by a commit.
        expire = ExpireIdempotencyKeys(MemoryIdempotencyKeys(self.store.answers), lambda: NOON)
        self.relay = Relay(relay_outbox, expire, self.wake_up, 10, 3600.0, lambda: 0.0)

    async def retry(self) -> RetryWrite:
        write = a_retry_write(a_failed_execution())
        self.store.add([write.failed])
        async with MemoryUnitOfWork(self.store, self.wake_up) as work:
            await write.stage(work)
            await work.commit()
        return write

    @asynccontextmanager
    async def relaying(self) -> AsyncIterator[asyncio.Task[None]]:
        task = asyncio.create_task(self.relay.run())
        yield task
        self.relay.stop()
        await task


async def test_a_commit_wakes_the_relay() -> None:
    """What is committed while the relay idles is delivered without waiting for the next look."""
    setting = Setting()
    setting.broker.open.set()
    async with setting.relaying():
        await asyncio.sleep(0)

        write = await setting.retry()

        async with asyncio.timeout(30):
            assert await setting.broker.taken.get() == write.job


async def test_an_outage_is_waited_out() -> None:
    """Whatever the engine raises, the relay lives on and delivers afterwards, once."""
    setting = Setting()
    setting.broker.open.set()
    setting.broker.errors = [EngineUnavailable("broker", "away"), ZeroDivisionError("a bug")]
    write = await setting.retry()

    async with setting.relaying(), asyncio.timeout(30):
        delivered = await setting.broker.taken.get()

    assert delivered == write.job
    assert setting.broker.taken.empty()


async def test_stopping_finishes_the_hand_over() -> None:
    """What the engine is taking when the relay is told to stop is taken and removed."""
    setting = Setting()
    write = await setting.retry()
    async with setting.relaying() as task:
        await setting.broker.entered.wait()

        setting.relay.stop()
        await asyncio.sleep(0)
        before = task.done()
        setting.broker.open.set()
        await task

    assert not before
    assert setting.broker.taken.get_nowait() == write.job
    assert list(setting.store.messages.waiting(MessageKind.JOB)) == []
