from collections.abc import Sequence
from contextlib import AsyncExitStack
from uuid import UUID

import pytest
from attrs import evolve

from automation_retry.application import Message, MessageKind
from automation_retry.domain import Execution
from tests.factories import RetryWrite, a_failed_execution, a_retry_write
from tests.ports.storage import Storage

JOB, EVENT = MessageKind.JOB, MessageKind.EVENT


class Interrupted(Exception):
    """What none of the ports raises."""


async def retried(storage: Storage, failed: Execution) -> RetryWrite:
    """Retries an execution, which is stored as failed for it."""
    write = a_retry_write(failed)
    async with storage.new_unit_of_work() as work:
        await write.stage(work)
        assert await work.commit() == frozenset()
    return write


@pytest.fixture
async def writes(empty_outbox: Storage) -> Sequence[RetryWrite]:
    """Four retries of four executions, committed one after the other, and no other messages."""
    executions = [a_failed_execution() for _ in range(4)]
    await empty_outbox.repository.add(executions)
    return [await retried(empty_outbox, execution) for execution in executions]


@pytest.fixture
async def attempts(empty_outbox: Storage) -> Sequence[RetryWrite]:
    """Two retries of one execution, neither of them delivered, and no other messages."""
    failed = a_failed_execution()
    await empty_outbox.repository.add([failed])
    first = await retried(empty_outbox, failed)
    failed_again = evolve(failed, retry_count=1)
    await empty_outbox.neighbours.report(failed_again)
    return [first, await retried(empty_outbox, failed_again)]


async def claimed(storage: Storage, kind: MessageKind = JOB, limit: int = 10) -> list[Message]:
    """What a claim gets now; it settles nothing."""
    async with storage.outbox.claim(kind, limit) as claim:
        return list(claim.messages)


def ids(messages: Sequence[Message]) -> list[UUID]:
    return [message.id for message in messages]


async def test_messages_are_lent_in_the_order_of_their_commits(
    storage: Storage, writes: Sequence[RetryWrite]
) -> None:
    """Oldest first, with every value that was staged."""
    assert await claimed(storage, JOB) == [write.job for write in writes]
    assert await claimed(storage, EVENT) == [write.event for write in writes]


async def test_no_more_than_the_limit_is_lent(
    storage: Storage, writes: Sequence[RetryWrite]
) -> None:
    """The oldest come first when not all may be claimed."""
    assert await claimed(storage, limit=3) == [write.job for write in writes[:3]]


async def test_an_empty_outbox_lends_nothing(empty_outbox: Storage) -> None:
    """A claim of nothing is a claim all the same."""
    assert await claimed(empty_outbox) == []


async def test_what_was_not_settled_is_lent_again(
    storage: Storage, writes: Sequence[RetryWrite]
) -> None:
    """A claim that ends without a word gives everything back."""
    await claimed(storage)

    assert await claimed(storage) == [write.job for write in writes]


async def test_what_was_delivered_is_gone(storage: Storage, writes: Sequence[RetryWrite]) -> None:
    """Only the rest is lent again, and there is no dead letter of the delivered."""
    async with storage.outbox.claim(JOB, 10) as claim:
        await claim.delivered([writes[0].job.id, writes[2].job.id])

    assert await claimed(storage) == [writes[1].job, writes[3].job]
    assert await storage.neighbours.dead_letters(writes[0].job.tenant) == []


async def test_after_an_error_everything_is_given_back(
    storage: Storage, writes: Sequence[RetryWrite]
) -> None:
    """Not even what was settled before the error stays settled."""

    async def settle_and_fail() -> None:
        async with storage.outbox.claim(JOB, 10) as claim:
            await claim.delivered([writes[0].job.id])
            await claim.refused(writes[1].job.id, "too large")
            raise Interrupted

    with pytest.raises(Interrupted):
        await settle_and_fail()
    assert await claimed(storage) == [write.job for write in writes]
    assert await storage.neighbours.dead_letters(writes[1].job.tenant) == []


async def test_what_was_refused_is_a_dead_letter(
    storage: Storage, writes: Sequence[RetryWrite]
) -> None:
    """It is kept with the engine's reason, lent no more, and the others are."""
    refused = writes[0].job
    async with storage.outbox.claim(JOB, 10) as claim:
        await claim.refused(refused.id, "too large")

    assert await storage.neighbours.dead_letters(refused.tenant) == [(refused, "too large")]
    assert await claimed(storage) == [write.job for write in writes[1:]]


async def test_delivered_and_refused_go_together(
    storage: Storage, writes: Sequence[RetryWrite]
) -> None:
    """A claim may settle its messages in different ways."""
    async with storage.outbox.claim(EVENT, 10) as claim:
        await claim.refused(writes[0].event.id, "too large")
        await claim.delivered([write.event.id for write in writes[1:]])

    assert await claimed(storage, EVENT) == []
    assert await storage.neighbours.dead_letters(writes[0].job.tenant) == [
        (writes[0].event, "too large")
    ]


async def test_kinds_do_not_touch_each_other(
    storage: Storage, writes: Sequence[RetryWrite]
) -> None:
    """Claimed or delivered jobs leave the events of the same executions where they are."""
    async with storage.outbox.claim(JOB, 10) as claim:
        assert await claimed(storage, EVENT) == [write.event for write in writes]
        await claim.delivered(ids(claim.messages))

    assert await claimed(storage, EVENT) == [write.event for write in writes]


async def test_what_is_lent_is_passed_over_by_others(
    storage: Storage, writes: Sequence[RetryWrite]
) -> None:
    """Claims that live at the same time share nothing, and together they get everything once."""
    async with AsyncExitStack() as stack:
        claims = [
            await stack.enter_async_context(storage.outbox.claim(JOB, limit))
            for limit in (1, 2, 10, 10)
        ]

        assert [list(claim.messages) for claim in claims] == [
            [writes[0].job],
            [writes[1].job, writes[2].job],
            [writes[3].job],
            [],
        ]


async def test_what_another_claim_gave_back_is_lent_again(
    storage: Storage, writes: Sequence[RetryWrite]
) -> None:
    """A claim that goes on does not keep what its neighbour gave back."""
    async with storage.outbox.claim(JOB, 2) as first:
        await claimed(storage)

        assert await claimed(storage) == [writes[2].job, writes[3].job]
        await first.delivered(ids(first.messages))
    assert await claimed(storage) == [writes[2].job, writes[3].job]


async def test_only_the_earliest_attempt_of_an_execution_is_lent(
    storage: Storage, attempts: Sequence[RetryWrite]
) -> None:
    """The second attempt waits until the first was settled, in each kind for itself."""
    first, second = attempts

    assert await claimed(storage, JOB) == [first.job]
    async with storage.outbox.claim(JOB, 10) as claim:
        await claim.delivered([first.job.id])
    assert await claimed(storage, JOB) == [second.job]
    assert await claimed(storage, EVENT) == [first.event]


async def test_a_later_attempt_waits_for_one_that_is_lent(
    storage: Storage, attempts: Sequence[RetryWrite]
) -> None:
    """While another relay hands over the first attempt, the second is not lent to anybody."""
    async with storage.outbox.claim(JOB, 10) as claim:
        assert await claimed(storage) == []
        await claim.delivered([attempts[0].job.id])
        assert await claimed(storage) == []

    assert await claimed(storage) == [attempts[1].job]


async def test_a_refused_attempt_does_not_block_the_next(
    storage: Storage, attempts: Sequence[RetryWrite]
) -> None:
    """A dead letter is over; the attempt after it is handed over."""
    first, second = attempts
    async with storage.outbox.claim(JOB, 10) as claim:
        await claim.refused(first.job.id, "too large")

    assert await claimed(storage) == [second.job]


async def test_an_attempt_that_waits_leaves_its_place_to_others(
    storage: Storage, attempts: Sequence[RetryWrite]
) -> None:
    """The limit counts what is lent, not what is passed over."""
    other = a_failed_execution()
    await storage.repository.add([other])
    write = await retried(storage, other)

    assert await claimed(storage, limit=2) == [attempts[0].job, write.job]


async def test_the_backlog_counts_what_waits_and_what_is_dead(
    empty_outbox: Storage,
) -> None:
    """For each kind how many wait and since when, and how many are dead."""
    storage = empty_outbox
    failed = a_failed_execution()
    await storage.repository.add([failed])
    write = await retried(storage, failed)
    before = {one.kind: one for one in await storage.outbox.backlog()}
    async with storage.outbox.claim(MessageKind.JOB, 10) as claim:
        await claim.refused(write.job.id, "too large")
    after = {one.kind: one for one in await storage.outbox.backlog()}

    assert (before[MessageKind.JOB].waiting, before[MessageKind.EVENT].waiting) == (1, 1)
    assert before[MessageKind.JOB].oldest_at is not None
    assert after[MessageKind.JOB].waiting == 0
    assert after[MessageKind.JOB].oldest_at is None
    assert after[MessageKind.JOB].dead == before[MessageKind.JOB].dead + 1


async def test_dead_letters_can_be_handed_over_again(
    empty_outbox: Storage,
) -> None:
    """They are listed with their reason until they are made to wait again."""
    storage = empty_outbox
    failed = a_failed_execution()
    await storage.repository.add([failed])
    write = await retried(storage, failed)
    async with storage.outbox.claim(MessageKind.JOB, 10) as claim:
        await claim.refused(write.job.id, "too large")
    listed = [one for one in await storage.outbox.dead_letters(1000) if one.id == write.job.id]

    revived = await storage.outbox.retry_dead()

    async with storage.outbox.claim(MessageKind.JOB, 1000) as claim:
        waiting = [message.id for message in claim.messages]
    assert [(one.kind, one.attempt, one.reason) for one in listed] == [
        (MessageKind.JOB, 1, "too large")
    ]
    assert revived >= 1
    assert write.job.id in waiting
    assert list(await storage.outbox.dead_letters(1000)) == []
