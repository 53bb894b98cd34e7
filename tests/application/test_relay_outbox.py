import asyncio
from collections.abc import Sequence
from uuid import UUID, uuid4

import pytest
from attrs import define, evolve, field

from automation_retry.adapters.memory import (
    DeadLetter,
    MemoryBus,
    MemoryOutbox,
    MemoryQueue,
    MemoryStore,
)
from automation_retry.application import (
    EngineUnavailable,
    ExecutionJob,
    MessageKind,
    MessageRefused,
    Relayed,
    RelayOutbox,
    RetriedEvent,
)
from automation_retry.domain import Principal
from tests.factories import RetryWrite, a_failed_execution, a_retry_write

JOB, EVENT = MessageKind.JOB, MessageKind.EVENT


@define(eq=False)
class Engine:
    """Takes jobs and events, except where it is told not to."""

    down: bool = False
    refuses: set[UUID] = field(factory=set)
    jobs: list[ExecutionJob] = field(factory=list)
    events: list[RetriedEvent] = field(factory=list)

    async def take_job(self, job: ExecutionJob) -> None:
        self.check(job.id)
        self.jobs.append(job)

    async def take_event(self, event: RetriedEvent) -> None:
        self.check(event.id)
        self.events.append(event)

    def check(self, message_id: UUID) -> None:
        if self.down:
            raise ConnectionError("the engine is down")
        if message_id in self.refuses:
            raise MessageRefused(message_id, "too large")


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def relay(store: MemoryStore, engine: Engine) -> RelayOutbox:
    queue, bus = MemoryQueue(), MemoryBus()
    queue.subscribe(engine.take_job)
    bus.subscribe(engine.take_event)
    return RelayOutbox(MemoryOutbox(store), queue, bus)


@pytest.fixture
def writes(store: MemoryStore) -> Sequence[RetryWrite]:
    """Four retries of four executions, committed one after the other."""
    written = [a_retry_write(a_failed_execution()) for _ in range(4)]
    for write in written:
        commit(store, write)
    return written


def commit(store: MemoryStore, write: RetryWrite) -> None:
    store.overwrite(write.failed)
    assert store.commit([write.retry], [write.job, write.event]) == frozenset()


async def test_hands_over_what_was_committed_and_removes_it(
    store: MemoryStore, relay: RelayOutbox, engine: Engine, writes: Sequence[RetryWrite]
) -> None:
    """The engine has all jobs in the order of their commits, and the outbox has none."""
    relayed = await relay(JOB, 10)

    assert engine.jobs == [write.job for write in writes]
    assert store.messages.waiting(JOB) == ()
    assert relayed == Relayed(delivered=4, refused=0)


async def test_hands_over_one_kind_at_a_time(
    store: MemoryStore, relay: RelayOutbox, engine: Engine, writes: Sequence[RetryWrite]
) -> None:
    """Events go to the bus and leave the jobs where they are."""
    await relay(EVENT, 10)

    assert engine.events == [write.event for write in writes]
    assert engine.jobs == []
    assert store.messages.waiting(JOB) == tuple(write.job for write in writes)


async def test_hands_over_up_to_the_limit(
    store: MemoryStore, relay: RelayOutbox, engine: Engine, writes: Sequence[RetryWrite]
) -> None:
    """The oldest go first and the rest waits."""
    relayed = await relay(JOB, 3)

    assert engine.jobs == [write.job for write in writes[:3]]
    assert store.messages.waiting(JOB) == (writes[3].job,)
    assert relayed.settled == 3


class Unreachable(MemoryQueue):
    async def enqueue(self, jobs: Sequence[ExecutionJob]) -> None:
        raise EngineUnavailable("memory", f"{len(jobs)} jobs came to a place that is not there")


async def test_with_nothing_to_hand_over_the_engine_is_not_asked(store: MemoryStore) -> None:
    """An engine that is down is no error as long as the outbox is empty."""
    relay = RelayOutbox(MemoryOutbox(store), Unreachable(), MemoryBus())

    assert await relay(JOB, 10) == Relayed(delivered=0, refused=0)


async def test_an_engine_that_is_down_gets_everything_later(
    store: MemoryStore, relay: RelayOutbox, engine: Engine, writes: Sequence[RetryWrite]
) -> None:
    """Nothing is removed while the engine is down, and nothing stays claimed."""
    engine.down = True
    with pytest.raises(EngineUnavailable):
        await relay(JOB, 10)
    assert store.messages.waiting(JOB) == tuple(write.job for write in writes)
    engine.down = False
    await relay(JOB, 10)

    assert engine.jobs == [write.job for write in writes]
    assert store.messages.waiting(JOB) == ()


async def test_a_refused_message_becomes_a_dead_letter_and_the_rest_is_delivered(
    store: MemoryStore, relay: RelayOutbox, engine: Engine, writes: Sequence[RetryWrite]
) -> None:
    """The second of four is set aside with the engine's reason; the other three arrive."""
    refused = writes[1].job
    engine.refuses = {refused.id}
    relayed = await relay(JOB, 10)

    assert relayed == Relayed(delivered=3, refused=1)
    assert store.messages.dead_letters == (DeadLetter(refused, "too large"),)
    assert store.messages.waiting(JOB) == ()
    assert {job.id for job in engine.jobs} == {
        write.job.id for write in writes if write.job != refused
    }


async def test_when_all_are_refused_all_are_dead_letters(
    store: MemoryStore, relay: RelayOutbox, engine: Engine, writes: Sequence[RetryWrite]
) -> None:
    """Each refusal is kept, and the relay ends."""
    engine.refuses = {write.event.id for write in writes}
    relayed = await relay(EVENT, 10)

    assert relayed == Relayed(delivered=0, refused=4)
    assert [letter.message for letter in store.messages.dead_letters] == [
        write.event for write in writes
    ]


async def test_later_attempts_of_one_execution_are_handed_over_in_order(
    store: MemoryStore, relay: RelayOutbox, engine: Engine
) -> None:
    """One pass hands over one attempt of an execution; the next pass the next one."""
    failed = a_failed_execution()
    first, second = a_retry_write(failed), a_retry_write(evolve(failed, retry_count=1))
    commit(store, first)
    commit(store, second)

    assert (await relay(JOB, 10)).delivered == 1
    assert engine.jobs == [first.job]
    assert (await relay(JOB, 10)).delivered == 1
    assert engine.jobs == [first.job, second.job]


@define(eq=False)
class Gate:
    """A subscriber that holds its first job until it is opened."""

    taken: list[ExecutionJob] = field(factory=list)
    reached: asyncio.Event = field(factory=asyncio.Event)
    opened: asyncio.Event = field(factory=asyncio.Event)

    async def first_job(self) -> None:
        """Waits until a relay is in the middle of handing over."""
        async with asyncio.timeout(30):
            await self.reached.wait()

    async def take(self, job: ExecutionJob) -> None:
        self.taken.append(job)
        if len(self.taken) == 1:
            self.reached.set()
            await self.opened.wait()


async def test_two_relays_never_hand_over_the_same_message_while_both_live(
    store: MemoryStore, writes: Sequence[RetryWrite]
) -> None:
    """While one relay waits for its engine, another hands over only what the first has not."""
    gate, queue = Gate(), MemoryQueue()
    queue.subscribe(gate.take)
    slow = RelayOutbox(MemoryOutbox(store), queue, MemoryBus())
    fast = RelayOutbox(MemoryOutbox(store), queue, MemoryBus())
    waiting = asyncio.create_task(slow(JOB, 2))
    await gate.first_job()

    assert await fast(JOB, 10) == Relayed(delivered=2, refused=0)
    assert await fast(JOB, 10) == Relayed(delivered=0, refused=0)
    gate.opened.set()
    assert await waiting == Relayed(delivered=2, refused=0)
    assert sorted(job.id for job in gate.taken) == sorted(write.job.id for write in writes)


async def test_a_relay_that_dies_gives_back_what_it_had_claimed(
    store: MemoryStore, relay: RelayOutbox, engine: Engine, writes: Sequence[RetryWrite]
) -> None:
    """What a cancelled relay was handing over is handed over again by another one."""
    gate, queue = Gate(), MemoryQueue()
    queue.subscribe(gate.take)
    dying = asyncio.create_task(RelayOutbox(MemoryOutbox(store), queue, MemoryBus())(JOB, 10))
    await gate.first_job()
    dying.cancel()
    await asyncio.wait([dying])
    await relay(JOB, 10)

    assert dying.cancelled()
    assert engine.jobs == [write.job for write in writes]


class Confused(MemoryQueue):
    async def enqueue(self, jobs: Sequence[ExecutionJob]) -> None:
        raise MessageRefused(uuid4(), f"some message that is none of these {len(jobs)}")


async def test_a_refusal_of_something_else_ends_the_pass(
    store: MemoryStore, principal: Principal
) -> None:
    """Handing the same batch over again would never end; nothing is removed or set aside."""
    write = a_retry_write(a_failed_execution(tenant=principal.tenant))
    store.add([write.failed])
    store.commit([write.retry], [write.job, write.event])
    relay = RelayOutbox(MemoryOutbox(store), Confused(), MemoryBus())

    with pytest.raises(MessageRefused):
        await relay(JOB, 10)
    assert list(store.messages.waiting(JOB)) == [write.job]
