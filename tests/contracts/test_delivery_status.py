"""What is told of the delivery, at a cost that does not grow with what waits."""

from automation_retry.application import MessageKind
from automation_retry.application.ports import DeliveryStatus
from tests.contracts.storage import StorageUnderTest
from tests.support.factories import a_failed_execution, a_retry_write

JOB, EVENT = MessageKind.JOB, MessageKind.EVENT


async def test_status_says_how_each_delivery_goes(
    empty_outbox: StorageUnderTest,
) -> None:
    """The age of the oldest message, the dead letters, and no failure."""
    outbox = empty_outbox.outbox
    for _ in range(2):
        write = a_retry_write(a_failed_execution())
        await empty_outbox.executions.add([write.failed])
        async with empty_outbox.new_unit_of_work() as work:
            write.stage(work)
            await work.commit()
    async with outbox.claim(JOB, 1) as claim:
        await claim.dead_letter(claim.messages[0].id, "too large")
    async with outbox.claim(EVENT, 10) as claim:
        await claim.acknowledge([message.id for message in claim.messages])

    jobs, events = await outbox.status()
    assert (jobs.kind, jobs.dead, jobs.failure) == (JOB, 1, None)
    assert jobs.oldest_age_s is not None
    assert jobs.oldest_age_s >= 0
    assert events == DeliveryStatus(kind=EVENT, oldest_age_s=None, dead=0, failure=None)


async def test_the_last_failure_of_each_kind_is_kept(empty_outbox: StorageUnderTest) -> None:
    """Until that kind is delivered again."""
    outbox = empty_outbox.outbox
    await outbox.note_failure(JOB, "refused")
    await outbox.note_failure(JOB, "timed out")
    await outbox.note_failure(EVENT, "refused")
    await outbox.clear_failure(EVENT)
    await outbox.clear_failure(EVENT)

    jobs, events = await outbox.status()
    await outbox.clear_failure(JOB)
    [jobs_later, _] = await outbox.status()
    assert jobs.failure is not None
    assert jobs.failure.reason == "timed out"
    assert jobs.failure.age_s >= 0
    assert (events.failure, jobs_later.failure) == (None, None)
