"""A relay with nothing to do looks rarely."""

import asyncio
from collections.abc import Sequence
from uuid import uuid4

import pytest
from attrs import define, field

from automation_retry.adapters.memory import MemoryStore, memory_broker
from automation_retry.adapters.memory.outbox import MemoryOutbox
from automation_retry.application import MessageKind, RelayOutbox
from automation_retry.entrypoints.container import Container
from automation_retry.entrypoints.settings import read_settings
from automation_retry.entrypoints.worker import RelayLoop, WakeUp
from tests.support.factories import NOON, RetryWrite, a_failed_execution, a_retry_write
from tests.support.memory import commit


@define(eq=False)
class Waits:
    """Notes how long the loop would wait, instead of waiting; stops it after some waits."""

    most: int
    woken_at: Sequence[int] = ()
    seconds: list[float] = field(init=False, factory=list)
    stopping: asyncio.Event = field(init=False, factory=asyncio.Event)
    store: MemoryStore = field(init=False, factory=MemoryStore)

    async def wait(self, kind: MessageKind, seconds: float) -> bool:
        assert kind is MessageKind.EVENT
        self.seconds.append(seconds)
        number = len(self.seconds)
        if number == self.most:
            self.stopping.set()
        woken = number in self.woken_at
        if woken:
            commit(self.store, self._stored())
        return woken

    def _stored(self) -> RetryWrite:
        write = a_retry_write(a_failed_execution(execution_id=uuid4()))
        self.store.add([write.failed])
        return write

    async def run(self) -> list[float]:
        class Noting(WakeUp):
            async def wait(_, kind: MessageKind, seconds: float) -> bool:  # noqa: N805
                return await self.wait(kind, seconds)

        outbox = MemoryOutbox(self.store, lambda: NOON)
        relay_outbox = RelayOutbox(outbox, {MessageKind.EVENT: memory_broker().broker})
        loop = RelayLoop(
            MessageKind.EVENT, relay_outbox, Noting(), batch=10, poll_s=0.05, idle_poll_s=1.0
        )
        await loop.run(self.stopping)
        return self.seconds


async def test_waits_double_while_there_is_nothing() -> None:
    """Up to a second."""
    assert await Waits(8).run() == [0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 1.0]


async def test_a_commit_starts_them_over() -> None:
    """It ends the wait at once, and more may follow."""
    assert await Waits(7, woken_at=[4]).run() == [0.05, 0.1, 0.2, 0.4, 0.05, 0.1, 0.2]


@pytest.mark.parametrize(("queue", "handed_over"), [("procrastinate", True), ("redis", False)])
def test_what_commits_hand_over_is_looked_for_rarely(queue: str, handed_over: bool) -> None:
    """Only what an earlier version left is in the outbox."""
    settings = read_settings(
        {
            "DATABASE_URL": "postgresql://db.example/automation",
            "AUTOMATION_RETRY_JOB_QUEUE": queue,
            "AUTOMATION_RETRY_EVENT_BUS": "none",
            "AUTOMATION_RETRY_REDIS_URL": "redis://db.example",
        }
    )
    supervisor = Container(settings=settings).supervisor()
    [jobs] = [loop for loop in supervisor._loops if loop.name == "relay jobs"]  # noqa: SLF001

    assert isinstance(jobs, RelayLoop)
    assert (MessageKind.JOB in settings.hand_over) == handed_over
    assert jobs._idle_poll_s == (5.0 if handed_over else 1.0)  # noqa: SLF001
