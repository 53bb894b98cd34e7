"""Concurrent requests run in batches; each caller gets its own outcome."""

import asyncio
from collections.abc import Sequence

import pytest
from attrs import define, field

from automation_retry.adapters.postgres.coalescing import Coalescer
from automation_retry.application import StorageUnavailable


@define
class Backend:
    """Doubles numbers, a batch at a time, once it is open."""

    batches: list[list[int]] = field(factory=list)
    open: asyncio.Event = field(factory=asyncio.Event)
    error: Exception | None = None
    """Raised for batches that hold a negative number."""

    async def double(self, numbers: Sequence[int]) -> Sequence[int]:
        self.batches.append(list(numbers))
        await self.open.wait()
        if self.error and min(numbers) < 0:
            raise self.error
        return [number * 2 for number in numbers]


def coalescer(backend: Backend) -> Coalescer[int, int]:
    """Numbers that differ only in their sign have the same conflict key."""
    return Coalescer(backend.double, lambda number: [abs(number)])


async def requested(run: Coalescer[int, int], *numbers: int) -> list[asyncio.Task[int]]:
    tasks = [asyncio.create_task(run(number)) for number in numbers]
    for _ in range(5):
        await asyncio.sleep(0)
    return tasks


async def test_a_request_runs_immediately_when_idle() -> None:
    """It does not wait for others to arrive."""
    backend = Backend()
    tasks = await requested(coalescer(backend), 1)
    began = list(backend.batches)
    backend.open.set()

    assert began == [[1]]
    assert await asyncio.gather(*tasks) == [2]


async def test_later_arrivals_form_the_next_batch() -> None:
    """While one batch runs the next one gathers; each caller gets its own answer."""
    backend = Backend()
    run = coalescer(backend)
    first = await requested(run, 1)
    others = await requested(run, 2, 3, 4)
    backend.open.set()

    assert await asyncio.gather(*first, *others) == [2, 4, 6, 8]
    assert backend.batches == [[1], [2, 3, 4]]


async def test_conflicting_requests_run_one_after_the_other() -> None:
    """In order of arrival, without delaying those between them."""
    backend = Backend()
    run = coalescer(backend)
    tasks = await requested(run, 9) + await requested(run, 1, 2, -1, 1, 3)
    backend.open.set()

    assert await asyncio.gather(*tasks) == [18, 2, 4, -2, 2, 6]
    assert backend.batches == [[9], [1, 2, 3], [-1], [1]]


async def test_a_batch_has_an_upper_bound() -> None:
    """What exceeds it goes into the batch after."""
    backend = Backend()
    run = coalescer(backend)
    tasks = await requested(run, *range(1000, 1202))
    backend.open.set()

    assert await asyncio.gather(*tasks) == [2 * number for number in range(1000, 1202)]
    assert [len(batch) for batch in backend.batches] == [1, 100, 100, 1]


async def test_an_error_reaches_only_the_caller_that_caused_it() -> None:
    """The other requests of the batch succeed."""
    backend = Backend(error=ArithmeticError("negative"))
    run = coalescer(backend)
    tasks = await requested(run, 9) + await requested(run, 1, -2, 3)
    backend.open.set()

    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert [repr(answer) for answer in answers] == ["18", "2", "ArithmeticError('negative')", "6"]


async def test_an_unavailable_storage_fails_the_whole_batch() -> None:
    """The batch may have been committed, so none of it runs a second time."""
    backend = Backend(error=StorageUnavailable("gone"))
    run = coalescer(backend)
    tasks = await requested(run, 9) + await requested(run, 1, -2)
    backend.open.set()

    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(answer) for answer in answers] == [int, StorageUnavailable, StorageUnavailable]
    assert backend.batches == [[9], [1, -2]]


async def test_the_request_of_a_cancelled_caller_is_dropped() -> None:
    """It has not begun, and nobody waits for it; the others get their answers."""
    backend = Backend()
    run = coalescer(backend)
    [first] = await requested(run, 9)
    [cancelled, other] = await requested(run, 1, 2)
    cancelled.cancel()
    backend.open.set()

    assert [await first, await other] == [18, 4]
    assert backend.batches == [[9], [2]]
    with pytest.raises(asyncio.CancelledError):
        await cancelled


async def test_a_cancelled_caller_in_a_batch_delays_no_other() -> None:
    """The batch is run to its end, and the others get their answers."""
    gates = {9: asyncio.Event(), 1: asyncio.Event()}
    ended = list[Sequence[int]]()

    async def double(numbers: Sequence[int]) -> Sequence[int]:
        await gates[numbers[0]].wait()
        ended.append(numbers)
        return [number * 2 for number in numbers]

    run: Coalescer[int, int] = Coalescer(double, lambda number: [number])
    [first] = await requested(run, 9)
    [cancelled, other] = await requested(run, 1, 2)
    gates[9].set()
    await first
    await asyncio.sleep(0)
    cancelled.cancel()
    gates[1].set()

    assert await other == 4
    assert ended == [[9], [1, 2]]
    with pytest.raises(asyncio.CancelledError):
        await cancelled


async def test_nobody_waits_behind_a_batch_that_hangs() -> None:
    """Others run beside it after a while; it never ends, and they are all answered."""
    backend = Backend()
    hung = asyncio.Event()

    async def double(numbers: Sequence[int]) -> Sequence[int]:
        if 9 in numbers:
            await hung.wait()
        return await backend.double(numbers)

    backend.open.set()
    run: Coalescer[int, int] = Coalescer(double, lambda number: [number])
    [first] = await requested(run, 9)
    async with asyncio.timeout(10):
        answers = await asyncio.gather(*await requested(run, 1, 2))
        later = await run(3)

    assert (answers, later) == ([2, 4], 6)
    assert backend.batches[0] == [1, 2]
    assert not first.done()
    hung.set()
    assert await first == 18


async def test_batches_that_hang_do_not_multiply() -> None:
    """Each takes a connection, and some must be left for what does not hang."""
    backend = Backend()
    run = coalescer(backend)
    tasks = [*await requested(run, 1)]
    async with asyncio.timeout(10):
        while len(backend.batches) < 3:
            tasks += await requested(run, len(tasks) + 1)
            await asyncio.sleep(0.05)
    tasks += await requested(run, 1000)
    await asyncio.sleep(0.9)  # longer than a batch is waited for

    assert len(backend.batches) == 3
    backend.open.set()
    assert len(await asyncio.gather(*tasks)) == len(tasks)


async def test_it_runs_immediately_again_after_having_been_idle() -> None:
    """The next request after a pause is a batch of its own."""
    backend = Backend()
    backend.open.set()
    run = coalescer(backend)
    before = await run(1)

    assert (before, await run(2)) == (2, 4)
    assert backend.batches == [[1], [2]]
