from uuid import uuid4

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from automation_retry.application import ExecutionJob, RetriedEvent
from tests.contracts.broker import BrokerUnderTest
from tests.support.factories import a_job, an_event, events, jobs


async def test_jobs_reach_the_consumer_in_order(broker: BrokerUnderTest) -> None:
    """What arrives equals what was sent: ids, attempt, times, caller and request."""
    tenant = uuid4()
    sent = [a_job(tenant=tenant, attempt=attempt) for attempt in range(1, 21)]
    await broker.send(sent)

    assert await broker.jobs.until(sent[-1]) == sent


async def test_events_reach_the_listener_in_order(broker: BrokerUnderTest) -> None:
    """What arrives equals what was sent."""
    tenant = uuid4()
    sent = [an_event(tenant=tenant, attempt=attempt) for attempt in range(1, 21)]
    await broker.send(sent)

    assert await broker.events.until(sent[-1]) == sent


async def test_batches_keep_their_order(broker: BrokerUnderTest) -> None:
    """What was acknowledged earlier is consumed earlier."""
    tenant = uuid4()
    sent = [a_job(tenant=tenant, attempt=attempt) for attempt in range(1, 7)]
    for batch in (sent[:1], sent[1:4], sent[4:]):
        await broker.send(batch)

    assert await broker.jobs.until(sent[-1]) == sent


async def test_sending_nothing_is_fine(broker: BrokerUnderTest) -> None:
    """An empty batch is accepted and delivers nothing."""
    tenant = uuid4()
    job, event = a_job(tenant=tenant), an_event(tenant=tenant)
    await broker.send([])
    await broker.send([job])
    await broker.send([])
    await broker.send([event])

    assert await broker.jobs.until(job) == [job]
    assert await broker.events.until(event) == [event]


async def test_a_job_that_comes_twice_carries_the_same_id(broker: BrokerUnderTest) -> None:
    """When a job is sent again, a consumer that knows ids still does the work once."""
    job = a_job()
    last = a_job(tenant=job.retried.tenant)
    for batch in ([job], [job, last]):
        await broker.send(batch)
    received = await broker.jobs.until(last)

    assert {one.id: one for one in received} == {job.id: job, last.id: last}


async def test_an_event_that_comes_twice_carries_the_same_id(broker: BrokerUnderTest) -> None:
    """When an event is sent again, a listener that knows ids still handles it once."""
    event = an_event()
    last = an_event(tenant=event.retried.tenant)
    for batch in ([event], [event, last]):
        await broker.send(batch)
    received = await broker.events.until(last)

    assert {one.id: one for one in received} == {event.id: event, last.id: last}


@given(batch=st.lists(jobs, min_size=1, max_size=10))
@settings(max_examples=8, deadline=None)
async def test_any_jobs_arrive_as_they_were_sent(
    broker: BrokerUnderTest, batch: list[ExecutionJob]
) -> None:
    """Every value of every job survives the broker."""
    tenant = uuid4()
    sent = [evolve(job, id=uuid4(), retried=evolve(job.retried, tenant=tenant)) for job in batch]
    await broker.send(sent)

    assert await broker.jobs.until(sent[-1]) == sent


@given(batch=st.lists(events, min_size=1, max_size=10))
@settings(max_examples=8, deadline=None)
async def test_any_events_arrive_as_they_were_sent(
    broker: BrokerUnderTest, batch: list[RetriedEvent]
) -> None:
    """Every value of every event survives the broker."""
    tenant = uuid4()
    sent = [
        evolve(event, id=uuid4(), retried=evolve(event.retried, tenant=tenant)) for event in batch
    ]
    await broker.send(sent)

    assert await broker.events.until(sent[-1]) == sent
