"""What the in-process engine promises beyond the ports."""

import pytest

from automation_retry.adapters.memory import MemoryBus, MemoryQueue
from automation_retry.application import (
    EngineUnavailable,
    ExecutionJob,
    MessageRefused,
    RetriedEvent,
)
from tests.factories import a_job, an_event
from tests.ports.engine import Received


async def broken(message: ExecutionJob | RetriedEvent) -> None:
    raise LookupError(message.id)


async def refusing(message: ExecutionJob | RetriedEvent) -> None:
    raise MessageRefused(message.id, "too large")


async def test_a_queue_without_subscribers_takes_no_jobs() -> None:
    """A job that nobody would run stays in the outbox."""
    with pytest.raises(EngineUnavailable, match="nobody takes jobs"):
        await MemoryQueue().enqueue([a_job()])


async def test_a_bus_without_subscribers_takes_events() -> None:
    """That nobody listens is no error."""
    await MemoryBus().publish([an_event()])


async def test_subscribers_of_a_queue_take_turns() -> None:
    """Each job is run by one engine, however many there are."""
    queue, first, second = MemoryQueue(), Received[ExecutionJob](), Received[ExecutionJob]()
    queue.subscribe(first.take)
    queue.subscribe(second.take)
    sent = [a_job() for _ in range(4)]
    await queue.enqueue(sent)

    assert (first.messages, second.messages) == (sent[::2], sent[1::2])


async def test_every_subscriber_of_a_bus_hears_every_event() -> None:
    """Listeners do not take events away from each other."""
    bus, first, second = MemoryBus(), Received[RetriedEvent](), Received[RetriedEvent]()
    bus.subscribe(first.take)
    bus.subscribe(second.take)
    sent = [an_event() for _ in range(3)]
    await bus.publish(sent)

    assert (first.messages, second.messages) == (sent, sent)


async def test_who_unsubscribed_gets_nothing_more() -> None:
    """What was taken before stays taken."""
    queue, bus = MemoryQueue(), MemoryBus()
    jobs, events = Received[ExecutionJob](), Received[RetriedEvent]()
    queue.subscribe(jobs.take)
    bus.subscribe(events.take)
    job, event = a_job(), an_event()
    await queue.enqueue([job])
    await bus.publish([event])
    queue.unsubscribe(jobs.take)
    bus.unsubscribe(events.take)
    await bus.publish([an_event()])
    with pytest.raises(EngineUnavailable):
        await queue.enqueue([a_job()])

    assert (jobs.messages, events.messages) == ([job], [event])


async def test_a_subscriber_that_raises_makes_the_engine_unavailable() -> None:
    """Its error is the cause, so that the relay brings the same messages again."""
    queue, bus = MemoryQueue(), MemoryBus()
    queue.subscribe(broken)
    bus.subscribe(broken)

    with pytest.raises(EngineUnavailable, match="LookupError") as jobs:
        await queue.enqueue([a_job()])
    with pytest.raises(EngineUnavailable, match="LookupError") as events:
        await bus.publish([an_event()])
    assert isinstance(jobs.value.__cause__, LookupError)
    assert isinstance(events.value.__cause__, LookupError)


async def test_a_subscriber_may_refuse_a_message_for_good() -> None:
    """Its refusal reaches the relay as it is."""
    queue, bus = MemoryQueue(), MemoryBus()
    queue.subscribe(refusing)
    bus.subscribe(refusing)
    job, event = a_job(), an_event()

    with pytest.raises(MessageRefused) as jobs:
        await queue.enqueue([job])
    with pytest.raises(MessageRefused) as events:
        await bus.publish([event])
    assert (jobs.value.message_id, events.value.message_id) == (job.id, event.id)
