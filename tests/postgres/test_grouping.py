"""Requests that wait for the database go together; each caller gets its own outcome."""

import asyncio
from collections.abc import Sequence

import pytest
from attrs import define, field

from automation_retry.adapters.postgres.grouping import Grouping
from automation_retry.application import StorageUnavailable


@define
class Backend:
    """Doubles numbers, a group at a time, when it is let."""

    groups: list[list[int]] = field(factory=list)
    open: asyncio.Event = field(factory=asyncio.Event)
    error: Exception | None = None
    """Raised for groups that hold a negative number."""

    async def double(self, numbers: Sequence[int]) -> Sequence[int]:
        self.groups.append(list(numbers))
        await self.open.wait()
        if self.error and min(numbers) < 0:
            raise self.error
        return [number * 2 for number in numbers]


def grouping(backend: Backend) -> Grouping[int, int]:
    """Numbers that are equal but for their sign claim the same."""
    return Grouping(backend.double, lambda number: [abs(number)])


async def asked(ask: Grouping[int, int], *numbers: int) -> list[asyncio.Task[int]]:
    tasks = [asyncio.create_task(ask(number)) for number in numbers]
    for _ in range(5):
        await asyncio.sleep(0)
    return tasks


async def test_who_comes_alone_is_served_at_once() -> None:
    """Nobody waits for others to come."""
    backend = Backend()
    tasks = await asked(grouping(backend), 1)
    began = list(backend.groups)
    backend.open.set()

    assert began == [[1]]
    assert await asyncio.gather(*tasks) == [2]


async def test_who_comes_meanwhile_goes_together() -> None:
    """While one group is served the next gathers; each gets the answer to its own request."""
    backend = Backend()
    ask = grouping(backend)
    first = await asked(ask, 1)
    others = await asked(ask, 2, 3, 4)
    backend.open.set()

    assert await asyncio.gather(*first, *others) == [2, 4, 6, 8]
    assert backend.groups == [[1], [2, 3, 4]]


async def test_equal_claims_are_served_one_after_the_other() -> None:
    """In the order of their coming, with those between them not held up."""
    backend = Backend()
    ask = grouping(backend)
    tasks = await asked(ask, 9) + await asked(ask, 1, 2, -1, 1, 3)
    backend.open.set()

    assert await asyncio.gather(*tasks) == [18, 2, 4, -2, 2, 6]
    assert backend.groups == [[9], [1, 2, 3], [-1], [1]]


async def test_an_error_is_its_callers_alone() -> None:
    """The others of the group are served; the error reaches who caused it."""
    backend = Backend(error=ArithmeticError("negative"))
    ask = grouping(backend)
    tasks = await asked(ask, 9) + await asked(ask, 1, -2, 3)
    backend.open.set()

    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert [repr(answer) for answer in answers] == ["18", "2", "ArithmeticError('negative')", "6"]


async def test_a_storage_that_is_away_is_told_to_all_and_not_asked_again() -> None:
    """The group may have been carried out, so nothing of it is done a second time."""
    backend = Backend(error=StorageUnavailable("gone"))
    ask = grouping(backend)
    tasks = await asked(ask, 9) + await asked(ask, 1, -2)
    backend.open.set()

    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(answer) for answer in answers] == [int, StorageUnavailable, StorageUnavailable]
    assert backend.groups == [[9], [1, -2]]


async def test_a_cancelled_caller_holds_nobody_up() -> None:
    """Its request is carried out all the same, and the others get their answers."""
    backend = Backend()
    ask = grouping(backend)
    [first] = await asked(ask, 9)
    [cancelled, other] = await asked(ask, 1, 2)
    cancelled.cancel()
    backend.open.set()

    assert [await first, await other] == [18, 4]
    assert backend.groups == [[9], [1, 2]]
    with pytest.raises(asyncio.CancelledError):
        await cancelled


async def test_it_serves_again_after_having_been_idle() -> None:
    """The next request after a pause starts a new group."""
    backend = Backend()
    backend.open.set()
    ask = grouping(backend)
    before = await ask(1)

    assert (before, await ask(2)) == (2, 4)
    assert backend.groups == [[1], [2]]
