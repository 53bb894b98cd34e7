"""The loops of a process under their supervisor."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from attrs import define, field

from automation_retry.entrypoints.worker import Loop, Supervisor, WakeUp
from tests.entrypoints.worker.broken_log import broken_log


@define(eq=False)
class FragileLoop(Loop):
    """Ends as it is told to, then runs until it is stopped."""

    name: str = "fragile"
    ends: list[BaseException | None] = field(factory=list)
    """How it ends, start by start: with an error, or by returning early."""
    starts: int = 0
    running: asyncio.Event = field(factory=asyncio.Event)

    async def run(self, stopping: asyncio.Event) -> None:
        self.starts += 1
        if self.ends:
            end = self.ends.pop(0)
            if end is not None:
                raise end
            return
        self.running.set()
        await stopping.wait()


def supervising(*loops: Loop) -> Supervisor:
    return Supervisor(loops, WakeUp(), random=lambda: 0.0)


async def first_problems(supervisor: Supervisor) -> Sequence[str]:
    """What it reports as soon as a loop is down."""
    while True:
        if problems := await supervisor.problems():
            return problems
        await asyncio.sleep(0)


@asynccontextmanager
async def running(supervisor: Supervisor) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(supervisor.run())
    async with asyncio.timeout(30):
        yield task
        supervisor.stop()
        await task


@pytest.mark.parametrize(
    ("end", "why"),
    [
        (ZeroDivisionError("a bug"), "it ended with ZeroDivisionError"),
        (asyncio.CancelledError(), "it ended with CancelledError"),
        (None, "it returned"),
    ],
)
async def test_a_loop_that_ends_is_reported_and_restarted(
    end: BaseException | None, why: str
) -> None:
    """However it ends: it is down during the backoff, and running again afterwards."""
    loop = FragileLoop(ends=[end])
    supervisor = supervising(loop)
    async with running(supervisor):
        reported = await first_problems(supervisor)
        await loop.running.wait()

        assert await supervisor.problems() == []

    assert reported == [f"The loop fragile is not running: {why}."]
    assert loop.starts == 2


async def test_a_loop_that_ends_does_not_disturb_the_others() -> None:
    """The other loop is started once and runs all the time."""
    fragile, other = FragileLoop(ends=[ValueError(), None]), FragileLoop(name="other")
    async with running(supervising(fragile, other)):
        await fragile.running.wait()

    assert (fragile.starts, other.starts) == (3, 1)


async def test_nothing_is_down_before_the_start() -> None:
    """A process that does not relay has no loops to report."""
    assert await supervising(FragileLoop()).problems() == []


async def test_stopping_ends_all_loops() -> None:
    """Also one that is down: its restart does not take place."""
    up = FragileLoop(name="up")
    down = FragileLoop(name="down", ends=[ValueError()])
    supervisor = supervising(up, down)
    async with running(supervisor) as task:
        await up.running.wait()
        await first_problems(supervisor)

        supervisor.stop()
        await task

    assert (up.starts, down.starts) == (1, 1)
    assert await supervisor.problems() == []


async def test_a_cancelled_supervisor_ends() -> None:
    """A cancellation from outside restarts nothing."""
    loop = FragileLoop()
    task = asyncio.create_task(supervising(loop).run())
    await loop.running.wait()

    task.cancel()
    await asyncio.wait([task], timeout=30)

    assert task.cancelled()
    assert loop.starts == 1


async def test_a_log_that_cannot_be_written_ends_nothing() -> None:
    """The line about the end of a loop is lost; its restart is not."""
    loop = FragileLoop(ends=[ValueError()])
    with broken_log() as lost:
        async with running(supervising(loop)):
            await loop.running.wait()

    assert lost == ["loop ended"]
    assert loop.starts == 2
