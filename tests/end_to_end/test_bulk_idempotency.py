"""Idempotency-Key of a bulk retry."""

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from attrs import define, evolve, field

from automation_retry.application import BulkRetry, StorageUnavailable
from automation_retry.application.ports import KeptAnswers, Reservation
from automation_retry.domain import Execution, ExecutionStatus, Json
from tests.end_to_end.test_idempotency import attempts
from tests.support.bulk import bulk_retry, outcomes
from tests.support.factories import a_failed_execution, an_execution
from tests.support.world import World


async def failed_ones(world: World, number: int) -> list[Execution]:
    return [await world.add(a_failed_execution(tenant=world.tenant)) for _ in range(number)]


def ids_of(*executions: Execution) -> list[UUID]:
    return [one.execution_id for one in executions]


async def test_the_same_request_gets_the_same_answer(world: World) -> None:
    """To the last byte, with its refusals, marked as a replay; nothing is done twice."""
    failed = await failed_ones(world, 2)
    running = await world.add(an_execution(tenant=world.tenant, status=ExecutionStatus.RUNNING))
    ids = [*ids_of(*failed, running), uuid4()]
    key = await world.key()

    first = await bulk_retry(world, key, ids, "why", idempotency_key="k 1")
    again = await bulk_retry(world, key, ids, "why", idempotency_key="k 1")

    assert outcomes(first) == [1, 1, "BAD_REQUEST", "NOT_FOUND"]
    assert "idempotent-replayed" not in first.headers
    assert (again.status_code, again.content) == (200, first.content)
    assert again.headers["idempotent-replayed"] == "true"
    assert [await attempts(world, one.execution_id) for one in failed] == [1, 1]


@pytest.mark.parametrize("change", [{"ids": slice(None, None, -1)}, {"reason": "other"}])
async def test_another_body_with_the_key_is_refused(world: World, change: Any) -> None:
    """422: other ids, as another order of them, or another reason."""
    failed, other = await failed_ones(world, 2)
    ids, key = ids_of(failed, other), await world.key()
    await bulk_retry(world, key, ids, "why", idempotency_key="k")

    answer = await bulk_retry(
        world,
        key,
        ids[change.get("ids", slice(None))],
        change.get("reason", "why"),
        idempotency_key="k",
    )

    assert answer.status_code == 422


async def test_a_body_that_means_the_same_is_the_same(world: World) -> None:
    """Ids may be in capitals."""
    [failed] = await failed_ones(world, 1)
    key = await world.key()
    await bulk_retry(world, key, [failed.execution_id], idempotency_key="k")

    again = await bulk_retry(world, key, [str(failed.execution_id).upper()], idempotency_key="k")

    assert again.headers["idempotent-replayed"] == "true"


async def test_a_key_is_for_a_retry_or_for_a_bulk_retry(world: World) -> None:
    """422 both ways, even about the same execution; nothing is retried."""
    failed, other = await failed_ones(world, 2)
    key = await world.key()
    await world.retry(failed.execution_id, key, idempotency_key="single")
    await bulk_retry(world, key, [failed.execution_id], idempotency_key="bulk")

    bulk = await bulk_retry(world, key, [other.execution_id], idempotency_key="single")
    single = await world.retry(other.execution_id, key, idempotency_key="bulk")

    assert (bulk.status_code, single.status_code) == (422, 422)
    assert await attempts(world, other.execution_id) == 0


async def test_a_wrong_body_leaves_the_key_free(world: World) -> None:
    [failed] = await failed_ones(world, 1)
    key = await world.key()

    wrong = await bulk_retry(world, key, ["no id"], idempotency_key="k")
    answer = await bulk_retry(world, key, [failed.execution_id], idempotency_key="k")

    assert (wrong.status_code, outcomes(answer)) == (400, [1])


async def test_an_answer_without_a_retry_is_kept(world: World) -> None:
    """It is a 200 as well."""
    running = await world.add(an_execution(tenant=world.tenant))
    key = await world.key()

    first = await bulk_retry(world, key, ids_of(running), idempotency_key="k")
    await world.storage.executions.report(evolve(running, status=ExecutionStatus.FAILED))
    again = await bulk_retry(world, key, ids_of(running), idempotency_key="k")

    assert again.content == first.content
    assert await attempts(world, running.execution_id) == 0


async def test_of_concurrent_twins_one_is_answered(world: World) -> None:
    """The others are told that it is running, or get its answer; each is retried once."""
    failed = await failed_ones(world, 20)
    key = await world.key()

    answers = await asyncio.gather(
        *(bulk_retry(world, key, ids_of(*failed), idempotency_key="k") for _ in range(20))
    )

    done = [one for one in answers if one.status_code == 200]
    assert Counter(one.status_code for one in answers).keys() <= {200, 409}
    assert {one.content for one in done} == {done[0].content}
    assert sum("idempotent-replayed" not in one.headers for one in done) == 1
    assert outcomes(done[0]) == [1] * 20
    assert [await attempts(world, one.execution_id) for one in failed] == [1] * 20


class Killed(BaseException):
    """What `kill -9` does is done: not even the cleaning up runs."""


@define
class Mortal(KeptAnswers):
    """Dies, or loses its storage, when it should keep the answer."""

    storage: KeptAnswers
    end: BaseException
    reservation: Reservation | None = field(init=False, default=None)

    async def reserve(
        self, wanted: Reservation, request: str, *, at: datetime, since: datetime
    ) -> Reservation | Json:
        found = await self.storage.reserve(wanted, request, at=at, since=since)
        assert isinstance(found, Reservation)
        self.reservation = found
        return found

    async def keep(self, reservation: Reservation, answer: Json) -> None:  # noqa: ARG002
        raise self.end

    async def release(self, reservation: Reservation) -> None:
        await self._unless_killed(self.storage.release, reservation)

    async def give_up(self, reservation: Reservation) -> None:
        await self._unless_killed(self.storage.give_up, reservation)

    async def _unless_killed(self, end: Any, reservation: Reservation) -> None:
        if isinstance(self.end, Killed):
            raise self.end
        await end(reservation)

    async def retried_under(
        self, reservation: Reservation, execution_ids: Collection[UUID]
    ) -> Mapping[UUID, int]:
        return await self.storage.retried_under(reservation, execution_ids)


async def ended_before_its_answer(
    world: World, key: str, ids: list[UUID], end: BaseException
) -> Reservation:
    """A bulk retry in a process that ended after the commit; its reservation."""
    mortal = Mortal(world.storage.kept_answers, end)
    use_case: BulkRetry = evolve(world.container.bulk_retry(), kept_answers=mortal)
    caller = (await world.storage.authenticator.authenticate(key, None)).principal
    with pytest.raises(type(end)):
        await use_case(caller, ids, idempotency_key="k")
    assert mortal.reservation
    return mortal.reservation


async def test_what_a_dead_process_retried_is_answered_retried(world: World) -> None:
    """409 while it counts as running. Then nothing is retried twice, and the answer is kept."""
    retried = await failed_ones(world, 3)
    late = await world.add(an_execution(tenant=world.tenant))
    key, ids = await world.key(), ids_of(*retried, late)
    dead = await ended_before_its_answer(world, key, ids, Killed())
    await world.storage.executions.report(evolve(late, status=ExecutionStatus.FAILED))
    again_failed = evolve(retried[1], retry_count=1)
    await world.storage.executions.report(again_failed)

    running = await bulk_retry(world, key, ids, idempotency_key="k")
    await world.storage.kept_answers.give_up(dead)  # as when its time is over
    answer = await bulk_retry(world, key, ids, idempotency_key="k")
    replayed = await bulk_retry(world, key, ids, idempotency_key="k")

    assert running.status_code == 409
    assert running.json()["error"]["code"] == "CONFLICT"
    assert outcomes(answer) == [1, 1, 1, 1]
    assert "idempotent-replayed" not in answer.headers
    assert replayed.content == answer.content
    assert [await attempts(world, one) for one in ids] == [1, 1, 1, 1]
    stored = await world.storage.executions.get(world.tenant, again_failed.execution_id)
    assert stored == again_failed


async def test_another_s_retry_is_not_taken_for_the_dead_process_s(world: World) -> None:
    """Though the same caller sent it, with the same request id."""
    failed, other = await failed_ones(world, 2)
    key, ids = await world.key(), ids_of(failed, other)
    await world.retry(other.execution_id, key, x_request_id="ticket-4711")
    dead = await ended_before_its_answer(world, key, ids, Killed())
    await world.storage.kept_answers.give_up(dead)

    answer = await bulk_retry(world, key, ids, idempotency_key="k", x_request_id="ticket-4711")

    assert outcomes(answer) == [1, "BAD_REQUEST"]


async def test_after_a_503_the_request_goes_on_at_once(world: World) -> None:
    """Its outcome was unknown; what it retried is answered retried."""
    failed, other = await failed_ones(world, 2)
    key, ids = await world.key(), ids_of(failed, other)
    await ended_before_its_answer(world, key, ids, StorageUnavailable("gone"))

    answer = await bulk_retry(world, key, ids, idempotency_key="k")

    assert outcomes(answer) == [1, 1]
    assert [await attempts(world, one) for one in ids] == [1, 1]
