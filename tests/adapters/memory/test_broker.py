"""What the memory broker promises beyond the port."""

import pytest
from attrs import define, field

from automation_retry.adapters.memory import MemoryBroker
from automation_retry.adapters.wire.messages import event_message, job_message
from automation_retry.application import BrokerUnavailable, Message, MessageKind, MessageRefused
from tests.support.factories import a_job, an_event

JOB, EVENT = MessageKind.JOB, MessageKind.EVENT


@define(eq=False)
class Consumer:
    messages: list[Message] = field(factory=list)

    async def take(self, message: Message) -> None:
        self.messages.append(message)


def jobs(count: int = 1) -> list[Message]:
    return [job_message(a_job()) for _ in range(count)]


def events(count: int = 1) -> list[Message]:
    return [event_message(an_event()) for _ in range(count)]


async def broken(message: Message) -> None:
    raise LookupError(message.id)


async def refusing(message: Message) -> None:
    raise MessageRefused(message.id, "too large")


async def test_without_subscribers_no_jobs_are_accepted() -> None:
    """A job that nobody would run stays in the outbox."""
    with pytest.raises(BrokerUnavailable, match="nobody takes jobs"):
        await MemoryBroker().send(jobs())


async def test_without_subscribers_events_are_accepted() -> None:
    """That nobody listens is no error."""
    await MemoryBroker().send(events())


async def test_subscribers_to_jobs_take_turns() -> None:
    """Each job is run by one engine, however many there are."""
    broker, first, second = MemoryBroker(), Consumer(), Consumer()
    broker.subscribe(JOB, first.take)
    broker.subscribe(JOB, second.take)
    sent = jobs(4)
    await broker.send(sent)

    assert (first.messages, second.messages) == (sent[::2], sent[1::2])


async def test_every_subscriber_to_events_gets_every_event() -> None:
    """Listeners do not take events away from each other."""
    broker, first, second = MemoryBroker(), Consumer(), Consumer()
    broker.subscribe(EVENT, first.take)
    broker.subscribe(EVENT, second.take)
    sent = events(3)
    await broker.send(sent)

    assert (first.messages, second.messages) == (sent, sent)


async def test_after_unsubscribing_nothing_more_arrives() -> None:
    """What was accepted before stays accepted."""
    broker, engine, listener = MemoryBroker(), Consumer(), Consumer()
    broker.subscribe(JOB, engine.take)
    broker.subscribe(EVENT, listener.take)
    job, event = jobs(), events()
    await broker.send(job)
    await broker.send(event)
    broker.unsubscribe(JOB, engine.take)
    broker.unsubscribe(EVENT, listener.take)
    await broker.send(events())
    with pytest.raises(BrokerUnavailable):
        await broker.send(jobs())

    assert (engine.messages, listener.messages) == (job, event)


@pytest.mark.parametrize(
    ("kind", "messages"), [(JOB, jobs()), (EVENT, events())], ids=["job", "event"]
)
async def test_a_subscriber_that_raises_makes_the_broker_unavailable(
    kind: MessageKind, messages: list[Message]
) -> None:
    """Its error is the cause, so that the relay sends the same messages again."""
    broker = MemoryBroker()
    broker.subscribe(kind, broken)

    with pytest.raises(BrokerUnavailable, match="LookupError") as unavailable:
        await broker.send(messages)
    assert isinstance(unavailable.value.__cause__, LookupError)


@pytest.mark.parametrize(
    ("kind", "messages"), [(JOB, jobs()), (EVENT, events())], ids=["job", "event"]
)
async def test_a_subscriber_may_refuse_a_message_for_good(
    kind: MessageKind, messages: list[Message]
) -> None:
    """Its refusal reaches the relay as it is."""
    broker = MemoryBroker()
    broker.subscribe(kind, refusing)

    with pytest.raises(MessageRefused) as refused:
        await broker.send(messages)
    assert refused.value.message_id == messages[0].id
