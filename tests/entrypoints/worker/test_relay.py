"""The loop around the outbox: it delivers, waits out an outage, and stops without loss."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from attrs import define, field

from automation_retry.adapters.memory import MemoryStore
from automation_retry.adapters.memory.outbox import MemoryOutbox
from automation_retry.application import BrokerUnavailable, Message, MessageKind, RelayOutbox
from automation_retry.application.ports import Broker
from automation_retry.entrypoints.clock import utc_now
from automation_retry.entrypoints.worker import RelayLoop, Supervisor, WakeUp
from tests.entrypoints.worker.broken_log import broken_log
from tests.support.factories import RetryWrite, a_failed_execution, a_retry_write
from tests.support.memory import unit_of_work, waiting
from tests.support.messages import Sent, opened


@define(eq=False)
class FaultyBroker(Broker):
    """A broker that can be unavailable, can fail in unforeseen ways, and can be slow."""

    errors: list[Exception] = field(factory=list)
    """Raised one by one, before it works."""
    taken: asyncio.Queue[Sent] = field(factory=asyncio.Queue)
    open: asyncio.Event = field(factory=asyncio.Event)
    entered: asyncio.Event = field(factory=asyncio.Event)

    async def send(self, messages: Sequence[Message]) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.entered.set()
        await self.open.wait()
        for message in messages:
            self.taken.put_nowait(opened(message))


@define
class Setting:
    """A process that relays jobs, and never polls: it delivers what a commit announced."""

    broker: FaultyBroker = field(factory=FaultyBroker)
    store: MemoryStore = field(factory=MemoryStore)
    wake_up: WakeUp = field(factory=WakeUp)
    supervisor: Supervisor = field(init=False)

    def __attrs_post_init__(self) -> None:
        relay_outbox = RelayOutbox(
            MemoryOutbox(self.store, utc_now), {MessageKind.JOB: self.broker}
        )
        loop = RelayLoop(
            MessageKind.JOB,
            relay_outbox,
            self.wake_up,
            batch=10,
            poll_s=3600.0,
            random=lambda: 0.0,
        )
        self.supervisor = Supervisor([loop], self.wake_up)

    async def retry(self) -> RetryWrite:
        write = a_retry_write(a_failed_execution())
        self.store.add([write.failed])
        async with unit_of_work(self.store, on_commit=self.wake_up) as work:
            write.stage(work)
            await work.commit()
        return write

    @asynccontextmanager
    async def relaying(self) -> AsyncIterator[asyncio.Task[None]]:
        task = asyncio.create_task(self.supervisor.run())
        yield task
        self.supervisor.stop()
        await task


async def test_a_commit_wakes_the_relay() -> None:
    """What is committed while the relay is idle is delivered without waiting for the next poll."""
    setting = Setting()
    setting.broker.open.set()
    async with setting.relaying():
        await asyncio.sleep(0)

        write = await setting.retry()

        async with asyncio.timeout(30):
            assert await setting.broker.taken.get() == write.job


async def test_an_outage_is_waited_out() -> None:
    """Whatever the broker raises, the loop goes on, never down, and delivers afterwards, once."""
    setting = Setting()
    setting.broker.open.set()
    setting.broker.errors = [BrokerUnavailable("broker", "away"), ZeroDivisionError("a bug")]
    write = await setting.retry()

    async with setting.relaying(), asyncio.timeout(30):
        while setting.broker.errors:
            assert await setting.supervisor.problems() == []
            await asyncio.sleep(0.01)
        delivered = await setting.broker.taken.get()

    assert delivered == write.job
    assert setting.broker.taken.empty()


async def test_stopping_finishes_the_delivery() -> None:
    """What the broker is taking when the relay is told to stop is taken and removed."""
    setting = Setting()
    write = await setting.retry()
    async with setting.relaying() as task:
        await setting.broker.entered.wait()

        setting.supervisor.stop()
        await asyncio.sleep(0)
        before = task.done()
        setting.broker.open.set()
        await task

    assert not before
    assert setting.broker.taken.get_nowait() == write.job
    assert waiting(setting.store, MessageKind.JOB) == ()


async def test_a_log_that_cannot_be_written_ends_nothing() -> None:
    """With every line lost, errors are still waited out and both messages arrive, in one run."""
    setting = Setting()
    setting.broker.open.set()
    setting.broker.errors = [BrokerUnavailable("broker", "away"), ZeroDivisionError("a bug")]

    with broken_log() as lost:
        async with setting.relaying(), asyncio.timeout(30):
            first = await setting.retry()
            assert await setting.broker.taken.get() == first.job
            second = await setting.retry()
            assert await setting.broker.taken.get() == second.job

    assert lost == ["relay waits", "relay failed", "relayed", "relayed"]
