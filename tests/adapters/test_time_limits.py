"""One timer bounds many waits, as `asyncio.timeout` bounds one."""

import asyncio

import pytest

from automation_retry.adapters.time_limits import TimeLimits

PATIENCE_S = 30


class TooLate(Exception):
    """What these limits raise."""


def soon(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds


async def test_what_is_in_time_is_left_alone() -> None:
    """Any number of times, one after the other and side by side."""
    limits = TimeLimits()

    async def wait(seconds: float) -> float:
        with limits.until(soon(PATIENCE_S), TooLate):
            await asyncio.sleep(seconds)
        return seconds

    assert await asyncio.gather(*[wait(n / 100) for n in range(50)]) == [n / 100 for n in range(50)]
    assert await wait(0) == 0


async def test_what_takes_too_long_is_cancelled() -> None:
    """Each by its own limit, and not before."""
    limits = TimeLimits()
    loop = asyncio.get_running_loop()

    async def wait(seconds: float) -> float:
        deadline = soon(seconds)
        with pytest.raises(TooLate), limits.until(deadline, TooLate):
            await asyncio.sleep(PATIENCE_S)
        return loop.time() - deadline

    async with asyncio.timeout(PATIENCE_S):
        late = await asyncio.gather(wait(0), wait(0.3), wait(0.5))
    assert min(late) >= 0


async def test_somebody_elses_cancellation_goes_on() -> None:
    """It is not mistaken for the limit."""
    limits = TimeLimits()

    async def wait() -> None:
        with limits.until(soon(PATIENCE_S), TooLate):
            await asyncio.sleep(PATIENCE_S)

    waiting = asyncio.create_task(wait())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_of_two_limits_the_earlier_one_counts() -> None:
    """Whichever is inside, and the other one goes on."""
    limits = TimeLimits()
    with limits.until(soon(PATIENCE_S), TooLate):
        with pytest.raises(TooLate), limits.until(soon(0), TooLate):
            await asyncio.sleep(PATIENCE_S)
        await asyncio.sleep(0)
    with (
        pytest.raises(TooLate),
        limits.until(soon(0), TooLate),
        limits.until(soon(PATIENCE_S), TooLate),
    ):
        await asyncio.sleep(PATIENCE_S)


async def test_two_limits_that_end_at_once_are_one_failure() -> None:
    """The task can be awaited and cancelled afterwards like any other."""
    limits = TimeLimits()
    deadline = soon(0)
    with pytest.raises(TooLate), limits.until(deadline, TooLate), limits.until(deadline, TooLate):
        await asyncio.sleep(PATIENCE_S)
    task = asyncio.current_task()

    assert task is not None
    assert task.cancelling() == 0


async def test_who_is_slow_is_told_once() -> None:
    """Before the limit, if it is still inside."""
    limits = TimeLimits()
    told = list[str]()
    with (
        pytest.raises(TooLate),
        limits.until(soon(1), TooLate, slow_at=soon(0), on_slow=lambda _: told.append("slow")),
    ):
        await asyncio.sleep(PATIENCE_S)
    with limits.until(
        soon(PATIENCE_S), TooLate, slow_at=soon(0), on_slow=lambda _: told.append("quick")
    ):
        pass
    await asyncio.sleep(0.3)

    assert told == ["slow"]


def test_limits_serve_one_event_loop_after_the_other() -> None:
    """As the parts of a container do in tests."""
    limits = TimeLimits()

    async def wait() -> None:
        with pytest.raises(TooLate), limits.until(soon(0), TooLate):
            await asyncio.sleep(PATIENCE_S)

    asyncio.run(wait())
    asyncio.run(wait())
