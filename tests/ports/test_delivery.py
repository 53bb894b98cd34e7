from uuid import uuid4

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from automation_retry.application import ExecutionJob, RetriedEvent
from tests.factories import a_job, an_event, events, jobs
from tests.ports.engine import Engine


async def test_jobs_reach_the_consumer_in_their_order(engine: Engine) -> None:
    """What arrives equals what was handed over: ids, attempt, times, caller and request."""
    tenant = uuid4()
    sent = [a_job(tenant=tenant, attempt=attempt) for attempt in range(1, 21)]
    await engine.queue.enqueue(sent)

    assert await engine.jobs.until(sent[-1]) == sent


async def test_events_reach_the_listener_in_their_order(engine: Engine) -> None:
    """What arrives equals what was published."""
    tenant = uuid4()
    sent = [an_event(tenant=tenant, attempt=attempt) for attempt in range(1, 21)]
    await engine.bus.publish(sent)

    assert await engine.events.until(sent[-1]) == sent


async def test_batches_keep_their_order(engine: Engine) -> None:
    """What was acknowledged before is consumed before."""
    tenant = uuid4()
    sent = [a_job(tenant=tenant, attempt=attempt) for attempt in range(1, 7)]
    for batch in (sent[:1], sent[1:4], sent[4:]):
        await engine.queue.enqueue(batch)

    assert await engine.jobs.until(sent[-1]) == sent


async def test_handing_over_nothing_is_fine(engine: Engine) -> None:
    """Empty batches are taken and bring nothing."""
    tenant = uuid4()
    job, event = a_job(tenant=tenant), an_event(tenant=tenant)
    await engine.queue.enqueue([])
    await engine.queue.enqueue([job])
    await engine.bus.publish([])
    await engine.bus.publish([event])

    assert await engine.jobs.until(job) == [job]
    assert await engine.events.until(event) == [event]


async def test_a_job_that_comes_twice_carries_the_same_id(engine: Engine) -> None:
    """After a second hand-over a consumer that knows ids still does the work once."""
    job = a_job()
    last = a_job(tenant=job.tenant)
    for batch in ([job], [job, last]):
        await engine.queue.enqueue(batch)
    received = await engine.jobs.until(last)

    assert {one.id: one for one in received} == {job.id: job, last.id: last}


async def test_an_event_that_comes_twice_carries_the_same_id(engine: Engine) -> None:
    """After a second publication a listener that knows ids still hears of it once."""
    event = an_event()
    last = an_event(tenant=event.retried.tenant)
    for batch in ([event], [event, last]):
        await engine.bus.publish(batch)
    received = await engine.events.until(last)

    assert {one.id: one for one in received} == {event.id: event, last.id: last}


@given(batch=st.lists(jobs, min_size=1, max_size=10))
@settings(max_examples=8, deadline=None)
async def test_any_jobs_arrive_as_they_were_handed_over(
    engine: Engine, batch: list[ExecutionJob]
) -> None:
    """Every value of every job survives the engine."""
    tenant = uuid4()
    sent = [evolve(job, id=uuid4(), tenant=tenant) for job in batch]
    await engine.queue.enqueue(sent)

    assert await engine.jobs.until(sent[-1]) == sent


@given(batch=st.lists(events, min_size=1, max_size=10))
@settings(max_examples=8, deadline=None)
async def test_any_events_arrive_as_they_were_published(
    engine: Engine, batch: list[RetriedEvent]
) -> None:
    """Every value of every event survives the engine."""
    tenant = uuid4()
    sent = [
        evolve(event, id=uuid4(), retried=evolve(event.retried, tenant=tenant)) for event in batch
    ]
    await engine.bus.publish(sent)

    assert await engine.events.until(sent[-1]) == sent
