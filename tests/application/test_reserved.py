"""What becomes of a reservation when its request ends without an answer."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from attrs import define

from automation_retry.adapters.memory import MemoryStore
from automation_retry.adapters.memory.kept_answers import MemoryKeptAnswers
from automation_retry.application import IdempotencyKey, RequestInProgress, StorageUnavailable
from automation_retry.application.ports import Reservation
from automation_retry.application.reserved import Reserved, reserved
from automation_retry.domain import Json
from tests.support.factories import NOON

KEY = IdempotencyKey(tenant=uuid4(), caller=uuid4(), text="k")


@define
class Time:
    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def answers(store: MemoryStore, time: Time) -> MemoryKeptAnswers:
    return MemoryKeptAnswers(store, time)


Work = Callable[[Reserved], Awaitable[None]]


async def request(answers: MemoryKeptAnswers, work: Work) -> None:
    new = uuid4()
    wanted = Reservation(key=KEY, id=new, holder=new)
    async with reserved(answers, wanted, "bulk-retry 1", NOON) as held:
        await work(held)


async def nothing(_: Reserved) -> None:
    """Ends without an answer, though without an error."""


async def fails_before_it_writes(_: Reserved) -> None:
    raise StorageUnavailable("gone")


async def fails_after_it_may_have_written(held: Reserved) -> None:
    held.may_have_written = True
    raise StorageUnavailable("gone")


async def hangs_after_it_may_have_written(held: Reserved) -> None:
    held.may_have_written = True
    await asyncio.Event().wait()


async def next_one(answers: MemoryKeptAnswers) -> Reservation:
    found: list[Reservation] = []

    async def work(held: Reserved) -> None:
        found.append(held.reservation)

    await request(answers, work)
    return found[0]


async def test_nothing_is_left_of_a_request_that_wrote_nothing(
    answers: MemoryKeptAnswers,
) -> None:
    with pytest.raises(StorageUnavailable):
        await request(answers, fails_before_it_writes)

    assert not (await next_one(answers)).taken_over


async def test_one_that_may_have_written_is_taken_over_at_once(
    answers: MemoryKeptAnswers,
) -> None:
    with pytest.raises(StorageUnavailable):
        await request(answers, fails_after_it_may_have_written)

    assert (await next_one(answers)).taken_over


async def test_what_took_over_is_taken_over_whatever_it_did(answers: MemoryKeptAnswers) -> None:
    """It did not write; but the one before it may have."""
    for work in (fails_after_it_may_have_written, fails_before_it_writes):
        with pytest.raises(StorageUnavailable):
            await request(answers, work)

    assert (await next_one(answers)).taken_over


async def test_a_cancelled_one_is_taken_over_at_once(answers: MemoryKeptAnswers) -> None:
    task = asyncio.create_task(request(answers, hangs_after_it_may_have_written))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert (await next_one(answers)).taken_over


class Gone(MemoryKeptAnswers):
    """A storage that does not answer when the reservation is to be given up."""

    async def give_up(self, reservation: Reservation) -> None:  # noqa: ARG002
        await asyncio.Event().wait()


async def test_giving_up_takes_no_time_from_an_error(
    store: MemoryStore, time: Time, answers: MemoryKeptAnswers
) -> None:
    """The caller gets the error all the same; the key is free a minute later."""
    with pytest.raises(StorageUnavailable):
        async with asyncio.timeout(5):
            await request(Gone(store, time), fails_after_it_may_have_written)

    time.now += timedelta(seconds=59)
    with pytest.raises(RequestInProgress):
        await request(answers, nothing)
    time.now += timedelta(seconds=1)
    assert (await next_one(answers)).taken_over


async def test_an_answer_is_found_by_the_next_one(answers: MemoryKeptAnswers) -> None:
    async def work(held: Reserved) -> None:
        assert held.answer is None
        await answers.keep(held.reservation, Json("1"))

    async def find(held: Reserved) -> None:
        assert held.answer == Json("1")

    await request(answers, work)
    await request(answers, find)
