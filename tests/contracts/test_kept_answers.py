"""Reserving an idempotency key, and keeping the answer under it."""

import asyncio
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from attrs import evolve

from automation_retry.application import (
    IdempotencyKey,
    IdempotencyKeyReused,
    RequestInProgress,
)
from automation_retry.application.ports import Reservation
from automation_retry.domain import Json
from tests.contracts.storage import StorageUnderTest
from tests.support.factories import NOON, a_failed_execution, a_retry_write

REQUEST = "bulk-retry 4711"
ANSWER = Json('[["5fba69ef", 1],\t"Zürich"]')


def a_key() -> IdempotencyKey:
    return IdempotencyKey(tenant=uuid4(), caller=uuid4(), text="k 1")


def wanting(key: IdempotencyKey) -> Reservation:
    new = uuid4()
    return Reservation(key=key, id=new, holder=new)


async def reserve(
    storage: StorageUnderTest,
    key: IdempotencyKey,
    request: str = REQUEST,
    *,
    at: datetime = NOON,
    since: datetime = NOON - timedelta(days=1),
) -> Reservation | Json:
    return await storage.kept_answers.reserve(wanting(key), request, at=at, since=since)


async def held(storage: StorageUnderTest, key: IdempotencyKey) -> Reservation:
    reservation = await reserve(storage, key)
    assert isinstance(reservation, Reservation)
    return reservation


async def test_a_new_key_is_reserved(storage: StorageUnderTest) -> None:
    key = a_key()

    reservation = await held(storage, key)

    assert reservation.key == key
    assert not reservation.taken_over


async def test_the_answer_is_repeated_to_the_letter(storage: StorageUnderTest) -> None:
    """White space and all."""
    reservation = await held(storage, key := a_key())
    await storage.kept_answers.keep(reservation, ANSWER)

    answer = await reserve(storage, key)

    assert isinstance(answer, Json)
    assert answer.text == ANSWER.text


async def test_a_request_that_is_worked_on_is_in_progress(storage: StorageUnderTest) -> None:
    await held(storage, key := a_key())

    with pytest.raises(RequestInProgress):
        await reserve(storage, key)


@pytest.mark.parametrize("answered", [True, False])
async def test_another_request_with_the_key_is_refused(
    storage: StorageUnderTest, *, answered: bool
) -> None:
    reservation = await held(storage, key := a_key())
    if answered:
        await storage.kept_answers.keep(reservation, ANSWER)

    with pytest.raises(IdempotencyKeyReused):
        await reserve(storage, key, "bulk-retry 4712")


async def test_the_same_text_of_another_caller_or_tenant_is_another_key(
    storage: StorageUnderTest,
) -> None:
    await held(storage, key := a_key())

    for other in (evolve(key, caller=uuid4()), evolve(key, tenant=uuid4())):
        assert not (await held(storage, other)).taken_over


async def test_a_released_key_is_free(storage: StorageUnderTest) -> None:
    """For another request, too, and without a memory of the first."""
    await storage.kept_answers.release(await held(storage, key := a_key()))

    reservation = await reserve(storage, key, "bulk-retry 4712")

    assert isinstance(reservation, Reservation)
    assert not reservation.taken_over


async def test_what_was_given_up_is_taken_over(storage: StorageUnderTest) -> None:
    """Under the same id, by another holder."""
    first = await held(storage, key := a_key())
    await storage.kept_answers.give_up(first)

    second = await held(storage, key)

    assert (second.id, second.taken_over) == (first.id, True)
    assert second.holder != first.holder
    with pytest.raises(RequestInProgress):
        await reserve(storage, key)


async def test_a_holder_of_too_long_is_taken_for_dead(storage: StorageUnderTest) -> None:
    first = await held(storage, key := a_key())
    await storage.neighbours.outlive(first)

    second = await held(storage, key)

    assert (second.id, second.taken_over) == (first.id, True)


async def test_another_request_takes_over_the_key_of_a_dead_one_only(
    storage: StorageUnderTest,
) -> None:
    """An error leaves nothing: what it wrote is not what this one asked for."""
    first = await held(storage, key := a_key())
    await storage.neighbours.outlive(first)

    second = await reserve(storage, key, "bulk-retry 4712")

    assert isinstance(second, Reservation)
    assert (second.id == first.id, second.taken_over) == (False, False)


async def test_who_lost_the_reservation_changes_nothing_of_it(storage: StorageUnderTest) -> None:
    """Neither by an answer, nor by releasing it or giving it up."""
    first = await held(storage, key := a_key())
    await storage.neighbours.outlive(first)
    second = await held(storage, key)

    await storage.kept_answers.keep(first, Json('"late"'))
    await storage.kept_answers.release(first)
    await storage.kept_answers.give_up(first)

    with pytest.raises(RequestInProgress):
        await reserve(storage, key)
    await storage.kept_answers.keep(second, ANSWER)
    assert await reserve(storage, key) == ANSWER


async def test_an_answer_stays_whatever_follows(storage: StorageUnderTest) -> None:
    reservation = await held(storage, key := a_key())
    await storage.kept_answers.keep(reservation, ANSWER)

    await storage.kept_answers.keep(reservation, Json('"other"'))
    await storage.kept_answers.release(reservation)
    await storage.kept_answers.give_up(reservation)
    await storage.neighbours.outlive(reservation)

    assert await reserve(storage, key) == ANSWER


@pytest.mark.parametrize("answered", [True, False])
async def test_an_expired_record_is_no_more(storage: StorageUnderTest, *, answered: bool) -> None:
    """From `since` or earlier."""
    first = await held(storage, key := a_key())
    if answered:
        await storage.kept_answers.keep(first, ANSWER)

    second = await reserve(storage, key, at=NOON + timedelta(days=2), since=NOON)

    assert isinstance(second, Reservation)
    assert not second.taken_over


async def test_housekeeping_removes_it(storage: StorageUnderTest) -> None:
    await storage.kept_answers.keep(await held(storage, key := a_key()), ANSWER)

    assert await storage.storage.idempotency_keys.remove(NOON, 1000) >= 1
    assert not (await held(storage, key)).taken_over


async def test_of_many_at_once_one_gets_it(storage: StorageUnderTest) -> None:
    key = a_key()
    outcomes = await asyncio.gather(
        *(reserve(storage, key) for _ in range(20)), return_exceptions=True
    )

    assert [type(one) for one in outcomes].count(Reservation) == 1
    assert [type(one) for one in outcomes].count(RequestInProgress) == 19


async def test_of_many_at_once_one_takes_it_over(storage: StorageUnderTest) -> None:
    await storage.kept_answers.give_up(await held(storage, key := a_key()))
    outcomes = await asyncio.gather(
        *(reserve(storage, key) for _ in range(20)), return_exceptions=True
    )

    assert [type(one) for one in outcomes].count(Reservation) == 1
    assert [type(one) for one in outcomes].count(RequestInProgress) == 19


async def test_the_key_of_a_retry_is_no_other_request_s(storage: StorageUnderTest) -> None:
    failed = a_failed_execution()
    await storage.executions.add([failed])
    key = evolve(a_key(), tenant=failed.tenant)
    async with storage.new_unit_of_work() as work:
        work.record(a_retry_write(failed).retry, key)
        await work.commit()

    with pytest.raises(IdempotencyKeyReused):
        await reserve(storage, key)


@pytest.mark.parametrize("answered", [True, False])
async def test_a_reserved_key_is_no_retry_s(storage: StorageUnderTest, *, answered: bool) -> None:
    """Neither when it is looked up, nor at the commit, where the retry loses."""
    failed = a_failed_execution()
    await storage.executions.add([failed])
    key = evolve(a_key(), tenant=failed.tenant)
    reservation = await held(storage, key)
    if answered:
        await storage.kept_answers.keep(reservation, ANSWER)

    async with storage.new_unit_of_work() as work:
        with pytest.raises(IdempotencyKeyReused):
            await work.answered(key, NOON - timedelta(days=1))
        work.record(a_retry_write(failed).retry, key)
        outcome = await work.commit()

    assert outcome.lost == {failed.execution_id}


async def test_what_was_retried_under_a_reservation_is_known(storage: StorageUnderTest) -> None:
    """By whoever takes it over; of the executions that are asked for."""
    reservation = await held(storage, a_key())
    tenant = reservation.key.tenant
    mine, unasked = [a_failed_execution(tenant=tenant, retry_count=4) for _ in range(2)]
    bystander, other = [a_failed_execution(tenant=tenant) for _ in range(2)]
    foreign = a_failed_execution(execution_id=mine.execution_id)
    await storage.executions.add([mine, unasked, bystander, other, foreign])
    async with storage.new_unit_of_work() as work:
        for execution in (mine, unasked):
            work.record(a_retry_write(execution).retry, reservation_id=reservation.id)
        work.record(a_retry_write(bystander).retry)
        work.record(a_retry_write(foreign).retry, reservation_id=uuid4())
        assert not (await work.commit()).lost

    ids = [one.execution_id for one in (mine, bystander, other)]
    assert await storage.kept_answers.retried_under(reservation, ids) == {mine.execution_id: 5}
