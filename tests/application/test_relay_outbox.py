import asyncio
from collections.abc import Sequence
from uuid import UUID, uuid4

import pytest
from attrs import define, evolve, field

from automation_retry.adapters.memory import MemoryBroker, MemoryStore
from automation_retry.adapters.memory.outbox import MemoryOutbox
from automation_retry.application import (
    BrokerUnavailable,
    Message,
    MessageKind,
    MessageRefused,
    Relayed,
    RelayOutbox,
)
from automation_retry.application.ports import Broker
from automation_retry.domain import Principal
from automation_retry.entrypoints.clock import utc_now
from tests.support.factories import RetryWrite, a_failed_execution, a_retry_write
from tests.support.memory import commit, dead_letters, waiting
from tests.support.messages import Sent, opened

JOB, EVENT = MessageKind.JOB, MessageKind.EVENT


@define(eq=False)
class Consumer:
    """Takes jobs and events, except where it is told not to."""

    down: bool = False
    refuses: set[UUID] = field(factory=set)
    jobs: list[Sent] = field(factory=list)
    events: list[Sent] = field(factory=list)

    async def take(self, message: Message) -> None:
        if self.down:
            raise ConnectionError("the consumer is down")
        if message.id in self.refuses:
            raise MessageRefused(message.id, "too large")
        taken = self.jobs if message.kind is JOB else self.events
        taken.append(opened(message))


@pytest.fixture
def consumer() -> Consumer:
    return Consumer()


@pytest.fixture
def relay(store: MemoryStore, consumer: Consumer) -> RelayOutbox:
    broker = MemoryBroker()
    for kind in MessageKind:
        broker.subscribe(kind, consumer.take)
    return relaying(store, broker)


def relaying(store: MemoryStore, broker: Broker) -> RelayOutbox:
    return RelayOutbox(MemoryOutbox(store, utc_now), dict.fromkeys(MessageKind, broker))


@pytest.fixture
def writes(store: MemoryStore) -> Sequence[RetryWrite]:
    """Four retries of four executions, committed one after the other."""
    written = [a_retry_write(a_failed_execution()) for _ in range(4)]
    for write in written:
        overwrite_and_commit(store, write)
    return written


def overwrite_and_commit(store: MemoryStore, write: RetryWrite) -> None:
    store.overwrite(write.failed)
    commit(store, write)


async def test_delivers_what_was_committed_and_removes_it(
    store: MemoryStore, relay: RelayOutbox, consumer: Consumer, writes: Sequence[RetryWrite]
) -> None:
    """The consumer has all jobs in the order of their commits, and the outbox has none."""
    relayed = await relay(JOB, 10)

    assert consumer.jobs == [write.job for write in writes]
    assert waiting(store, JOB) == ()
    assert relayed == Relayed(delivered=4, refused=0)


async def test_delivers_one_kind_at_a_time(
    store: MemoryStore, relay: RelayOutbox, consumer: Consumer, writes: Sequence[RetryWrite]
) -> None:
    """Events go to the bus and leave the jobs where they are."""
    await relay(EVENT, 10)

    assert consumer.events == [write.event for write in writes]
    assert consumer.jobs == []
    assert waiting(store, JOB) == tuple(write.job for write in writes)


async def test_delivers_up_to_the_limit(
    store: MemoryStore, relay: RelayOutbox, consumer: Consumer, writes: Sequence[RetryWrite]
) -> None:
    """The oldest go first and the rest waits."""
    relayed = await relay(JOB, 3)

    assert consumer.jobs == [write.job for write in writes[:3]]
    assert waiting(store, JOB) == (writes[3].job,)
    assert relayed.settled == 3


class Unreachable(Broker):
    async def send(self, messages: Sequence[Message]) -> None:
        raise BrokerUnavailable("nowhere", f"{len(messages)} messages cannot be sent")


async def test_an_empty_outbox_does_not_contact_the_broker(store: MemoryStore) -> None:
    """A broker that is down is no error while the outbox is empty."""
    relay = relaying(store, Unreachable())

    assert await relay(JOB, 10) == Relayed(delivered=0, refused=0)


async def test_a_broker_that_is_down_gets_everything_later(
    store: MemoryStore, relay: RelayOutbox, consumer: Consumer, writes: Sequence[RetryWrite]
) -> None:
    """Nothing is removed while it is down, and nothing stays claimed."""
    consumer.down = True
    with pytest.raises(BrokerUnavailable):
        await relay(JOB, 10)
    assert waiting(store, JOB) == tuple(write.job for write in writes)
    consumer.down = False
    await relay(JOB, 10)

    assert consumer.jobs == [write.job for write in writes]
    assert waiting(store, JOB) == ()


async def test_a_refused_message_becomes_a_dead_letter_and_the_rest_is_delivered(
    store: MemoryStore, relay: RelayOutbox, consumer: Consumer, writes: Sequence[RetryWrite]
) -> None:
    """The second of four becomes a dead letter with the broker's reason; the other three arrive."""
    refused = writes[1].job
    consumer.refuses = {refused.id}
    relayed = await relay(JOB, 10)

    assert relayed == Relayed(delivered=3, refused=1)
    assert dead_letters(store) == [(refused, "too large")]
    assert waiting(store, JOB) == ()
    assert {job.id for job in consumer.jobs} == {
        write.job.id for write in writes if write.job != refused
    }


async def test_when_all_are_refused_all_are_dead_letters(
    store: MemoryStore, relay: RelayOutbox, consumer: Consumer, writes: Sequence[RetryWrite]
) -> None:
    """Each refusal is kept, and the relay ends."""
    consumer.refuses = {write.event.id for write in writes}
    relayed = await relay(EVENT, 10)

    assert relayed == Relayed(delivered=0, refused=4)
    assert [sent for sent, _ in dead_letters(store)] == [write.event for write in writes]


async def test_later_attempts_of_one_execution_are_delivered_in_order(
    store: MemoryStore, relay: RelayOutbox, consumer: Consumer
) -> None:
    """One pass delivers one attempt of an execution; the next pass the next one."""
    failed = a_failed_execution()
    first, second = a_retry_write(failed), a_retry_write(evolve(failed, retry_count=1))
    overwrite_and_commit(store, first)
    overwrite_and_commit(store, second)

    assert (await relay(JOB, 10)).delivered == 1
    assert consumer.jobs == [first.job]
    assert (await relay(JOB, 10)).delivered == 1
    assert consumer.jobs == [first.job, second.job]


@define(eq=False)
class Gate:
    """A subscriber that holds its first job until it is opened."""

    taken: list[Message] = field(factory=list)
    reached: asyncio.Event = field(factory=asyncio.Event)
    opened: asyncio.Event = field(factory=asyncio.Event)

    async def first_job(self) -> None:
        """Waits until a relay is in the middle of a delivery."""
        async with asyncio.timeout(30):
            await self.reached.wait()

    async def take(self, message: Message) -> None:
        self.taken.append(message)
        if len(self.taken) == 1:
            self.reached.set()
            await self.opened.wait()


async def test_two_live_relays_never_deliver_the_same_message(
    store: MemoryStore, writes: Sequence[RetryWrite]
) -> None:
    """While one relay waits for its consumer, another delivers only the rest."""
    gate, broker = Gate(), MemoryBroker()
    broker.subscribe(JOB, gate.take)
    slow, fast = relaying(store, broker), relaying(store, broker)
    waiting = asyncio.create_task(slow(JOB, 2))
    await gate.first_job()

    assert await fast(JOB, 10) == Relayed(delivered=2, refused=0)
    assert await fast(JOB, 10) == Relayed(delivered=0, refused=0)
    gate.opened.set()
    assert await waiting == Relayed(delivered=2, refused=0)
    assert sorted(one.id for one in gate.taken) == sorted(write.job.id for write in writes)


async def test_a_relay_that_dies_releases_its_claims(
    store: MemoryStore, relay: RelayOutbox, consumer: Consumer, writes: Sequence[RetryWrite]
) -> None:
    """What a cancelled relay was delivering is delivered again by another one."""
    gate, broker = Gate(), MemoryBroker()
    broker.subscribe(JOB, gate.take)
    dying = asyncio.create_task(relaying(store, broker)(JOB, 10))
    await gate.first_job()
    dying.cancel()
    await asyncio.wait([dying])
    await relay(JOB, 10)

    assert dying.cancelled()
    assert consumer.jobs == [write.job for write in writes]


class Confused(Broker):
    async def send(self, messages: Sequence[Message]) -> None:
        raise MessageRefused(uuid4(), f"some message that is none of these {len(messages)}")


async def test_a_refusal_of_something_else_ends_the_pass(
    store: MemoryStore, principal: Principal
) -> None:
    """Sending the same batch again would never end; nothing is removed or dead-lettered."""
    write = a_retry_write(a_failed_execution(tenant=principal.tenant))
    store.add([write.failed])
    commit(store, write)
    relay = relaying(store, Confused())

    with pytest.raises(MessageRefused):
        await relay(JOB, 10)
    assert list(waiting(store, JOB)) == [write.job]
