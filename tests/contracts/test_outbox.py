from collections.abc import Sequence
from contextlib import AsyncExitStack
from uuid import UUID

import pytest
from attrs import evolve

from automation_retry.application import Message, MessageKind
from automation_retry.application.ports import Claim
from automation_retry.domain import Execution
from tests.contracts.storage import StorageUnderTest
from tests.support.factories import RetryWrite, a_failed_execution, a_retry_write
from tests.support.messages import Sent, opened

JOB, EVENT = MessageKind.JOB, MessageKind.EVENT


class Interrupted(Exception):
    """An error that no port raises."""


async def retried(storage: StorageUnderTest, failed: Execution) -> RetryWrite:
    """Retries an execution, which is stored as failed for it."""
    write = a_retry_write(failed)
    async with storage.new_unit_of_work() as work:
        write.stage(work)
        assert not (await work.commit()).lost
    return write


@pytest.fixture
async def writes(empty_outbox: StorageUnderTest) -> Sequence[RetryWrite]:
    """Four retries of four executions, committed one after the other, and no other messages."""
    executions = [a_failed_execution() for _ in range(4)]
    await empty_outbox.executions.add(executions)
    return [await retried(empty_outbox, execution) for execution in executions]


@pytest.fixture
async def attempts(empty_outbox: StorageUnderTest) -> Sequence[RetryWrite]:
    """Two retries of one execution, neither of them delivered, and no other messages."""
    failed = a_failed_execution()
    await empty_outbox.executions.add([failed])
    first = await retried(empty_outbox, failed)
    failed_again = evolve(failed, retry_count=1)
    await empty_outbox.executions.report(failed_again)
    return [first, await retried(empty_outbox, failed_again)]


async def claimed(
    storage: StorageUnderTest, kind: MessageKind = JOB, limit: int = 10
) -> list[Sent]:
    """What a claim gets now; it settles nothing."""
    async with storage.outbox.claim(kind, limit) as claim:
        return sent(claim)


def sent(claim: Claim) -> list[Sent]:
    return [opened(message) for message in claim.messages]


def ids(messages: Sequence[Message]) -> list[UUID]:
    return [message.id for message in messages]


async def test_messages_are_claimed_in_the_order_of_their_commits(
    storage: StorageUnderTest, writes: Sequence[RetryWrite]
) -> None:
    """Oldest first, with every value that was staged."""
    assert await claimed(storage, JOB) == [write.job for write in writes]
    assert await claimed(storage, EVENT) == [write.event for write in writes]


async def test_no_more_than_the_limit_is_claimed(
    storage: StorageUnderTest, writes: Sequence[RetryWrite]
) -> None:
    """The oldest come first when not all may be claimed."""
    assert await claimed(storage, limit=3) == [write.job for write in writes[:3]]


async def test_an_empty_outbox_gives_an_empty_claim(empty_outbox: StorageUnderTest) -> None:
    """That is no error."""
    assert await claimed(empty_outbox) == []


async def test_what_was_not_settled_can_be_claimed_again(
    storage: StorageUnderTest, writes: Sequence[RetryWrite]
) -> None:
    """A claim that settles nothing releases everything."""
    await claimed(storage)

    assert await claimed(storage) == [write.job for write in writes]


async def test_what_was_delivered_is_gone(
    storage: StorageUnderTest, writes: Sequence[RetryWrite]
) -> None:
    """Only the rest can be claimed again, and there is no dead letter of what was delivered."""
    async with storage.outbox.claim(JOB, 10) as claim:
        await claim.acknowledge([writes[0].job.id, writes[2].job.id])

    assert await claimed(storage) == [writes[1].job, writes[3].job]
    assert await storage.neighbours.dead_letters(writes[0].job.retried.tenant) == []


async def test_after_an_error_everything_is_released(
    storage: StorageUnderTest, writes: Sequence[RetryWrite]
) -> None:
    """Not even what was settled before the error stays settled."""

    async def settle_and_fail() -> None:
        async with storage.outbox.claim(JOB, 10) as claim:
            await claim.acknowledge([writes[0].job.id])
            await claim.dead_letter(writes[1].job.id, "too large")
            raise Interrupted

    with pytest.raises(Interrupted):
        await settle_and_fail()
    assert await claimed(storage) == [write.job for write in writes]
    assert await storage.neighbours.dead_letters(writes[1].job.retried.tenant) == []


async def test_what_was_refused_is_a_dead_letter(
    storage: StorageUnderTest, writes: Sequence[RetryWrite]
) -> None:
    """It is kept with the broker's reason and not claimed again; the others are."""
    refused = writes[0].job
    async with storage.outbox.claim(JOB, 10) as claim:
        await claim.dead_letter(refused.id, "too large")

    assert await storage.neighbours.dead_letters(refused.retried.tenant) == [(refused, "too large")]
    assert await claimed(storage) == [write.job for write in writes[1:]]


async def test_delivered_and_refused_go_together(
    storage: StorageUnderTest, writes: Sequence[RetryWrite]
) -> None:
    """A claim may settle its messages in different ways."""
    async with storage.outbox.claim(EVENT, 10) as claim:
        await claim.dead_letter(writes[0].event.id, "too large")
        await claim.acknowledge([write.event.id for write in writes[1:]])

    assert await claimed(storage, EVENT) == []
    assert await storage.neighbours.dead_letters(writes[0].job.retried.tenant) == [
        (writes[0].event, "too large")
    ]


async def test_kinds_do_not_touch_each_other(
    storage: StorageUnderTest, writes: Sequence[RetryWrite]
) -> None:
    """Claimed or delivered jobs leave the events of the same executions where they are."""
    async with storage.outbox.claim(JOB, 10) as claim:
        assert await claimed(storage, EVENT) == [write.event for write in writes]
        await claim.acknowledge(ids(claim.messages))

    assert await claimed(storage, EVENT) == [write.event for write in writes]


async def test_what_is_claimed_is_skipped_by_others(
    storage: StorageUnderTest, writes: Sequence[RetryWrite]
) -> None:
    """Claims that live at the same time share nothing, and together they get everything once."""
    async with AsyncExitStack() as stack:
        claims = [
            await stack.enter_async_context(storage.outbox.claim(JOB, limit))
            for limit in (1, 2, 10, 10)
        ]

        assert [sent(claim) for claim in claims] == [
            [writes[0].job],
            [writes[1].job, writes[2].job],
            [writes[3].job],
            [],
        ]


async def test_what_another_claim_released_can_be_claimed_again(
    storage: StorageUnderTest, writes: Sequence[RetryWrite]
) -> None:
    """An open claim does not keep what another one released."""
    async with storage.outbox.claim(JOB, 2) as first:
        await claimed(storage)

        assert await claimed(storage) == [writes[2].job, writes[3].job]
        await first.acknowledge(ids(first.messages))
    assert await claimed(storage) == [writes[2].job, writes[3].job]


async def test_only_the_earliest_attempt_of_an_execution_is_claimed(
    storage: StorageUnderTest, attempts: Sequence[RetryWrite]
) -> None:
    """The second attempt waits until the first was settled, in each kind for itself."""
    first, second = attempts

    assert await claimed(storage, JOB) == [first.job]
    async with storage.outbox.claim(JOB, 10) as claim:
        await claim.acknowledge([first.job.id])
    assert await claimed(storage, JOB) == [second.job]
    assert await claimed(storage, EVENT) == [first.event]


async def test_a_later_attempt_waits_for_one_that_is_claimed(
    storage: StorageUnderTest, attempts: Sequence[RetryWrite]
) -> None:
    """While another relay delivers the first attempt, the second cannot be claimed."""
    async with storage.outbox.claim(JOB, 10) as claim:
        assert await claimed(storage) == []
        await claim.acknowledge([attempts[0].job.id])
        assert await claimed(storage) == []

    assert await claimed(storage) == [attempts[1].job]


async def test_a_refused_attempt_does_not_block_the_next(
    storage: StorageUnderTest, attempts: Sequence[RetryWrite]
) -> None:
    """A dead letter is settled; the attempt after it is delivered."""
    first, second = attempts
    async with storage.outbox.claim(JOB, 10) as claim:
        await claim.dead_letter(first.job.id, "too large")

    assert await claimed(storage) == [second.job]


async def test_an_attempt_that_waits_leaves_its_place_to_others(
    storage: StorageUnderTest, attempts: Sequence[RetryWrite]
) -> None:
    """The limit counts what is claimed, not what is skipped."""
    other = a_failed_execution()
    await storage.executions.add([other])
    write = await retried(storage, other)

    assert await claimed(storage, limit=2) == [attempts[0].job, write.job]


async def test_the_backlog_counts_what_waits_and_what_is_dead(
    empty_outbox: StorageUnderTest,
) -> None:
    """For each kind how many wait and since when, and how many are dead."""
    storage = empty_outbox
    failed = a_failed_execution()
    await storage.executions.add([failed])
    write = await retried(storage, failed)
    before = {one.kind: one for one in await storage.outbox.backlog()}
    async with storage.outbox.claim(MessageKind.JOB, 10) as claim:
        await claim.dead_letter(write.job.id, "too large")
    after = {one.kind: one for one in await storage.outbox.backlog()}

    assert (before[MessageKind.JOB].waiting, before[MessageKind.EVENT].waiting) == (1, 1)
    assert before[MessageKind.JOB].oldest_at is not None
    assert after[MessageKind.JOB].waiting == 0
    assert after[MessageKind.JOB].oldest_at is None
    assert after[MessageKind.JOB].dead == before[MessageKind.JOB].dead + 1


async def test_dead_letters_can_be_redriven(
    empty_outbox: StorageUnderTest,
) -> None:
    """They are listed with their reason until they are made to wait again."""
    storage = empty_outbox
    failed = a_failed_execution()
    await storage.executions.add([failed])
    write = await retried(storage, failed)
    async with storage.outbox.claim(MessageKind.JOB, 10) as claim:
        await claim.dead_letter(write.job.id, "too large")
    listed = [
        one for one in await storage.outbox.dead_letters(1000) if one.message.id == write.job.id
    ]

    revived = await storage.outbox.redrive()

    async with storage.outbox.claim(MessageKind.JOB, 1000) as claim:
        waiting = [message.id for message in claim.messages]
    assert [(one.message.kind, one.message.attempt, one.reason) for one in listed] == [
        (MessageKind.JOB, 1, "too large")
    ]
    assert revived >= 1
    assert write.job.id in waiting
    assert list(await storage.outbox.dead_letters(1000)) == []
