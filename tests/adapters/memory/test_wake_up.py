"""The memory unit of work wakes the relay after a commit that wrote messages."""

from automation_retry.adapters.memory import MemoryStore
from tests.support.factories import a_failed_execution, a_retry_write
from tests.support.memory import unit_of_work


async def test_a_commit_wakes_the_relay_once() -> None:
    """However much a commit writes, it is one call."""
    store, woken = MemoryStore(), list[None]()
    executions = [a_failed_execution(), a_failed_execution()]
    store.add(executions)
    async with unit_of_work(store, on_commit=lambda: woken.append(None)) as work:
        for execution in executions:
            a_retry_write(execution).stage(work)
        assert not woken
        await work.commit()

    assert len(woken) == 1


async def test_a_commit_that_wrote_nothing_wakes_nobody() -> None:
    """Neither a lost race nor an empty unit of work leaves anything to deliver."""
    store, woken = MemoryStore(), list[None]()
    async with unit_of_work(store, on_commit=lambda: woken.append(None)) as work:
        await work.commit()
        a_retry_write(a_failed_execution()).stage(work)
        await work.commit()

    assert not woken


async def test_leaving_without_a_commit_wakes_nobody() -> None:
    """What was dropped need not be delivered."""
    store, woken = MemoryStore(), list[None]()
    execution = a_failed_execution()
    store.add([execution])
    async with unit_of_work(store, on_commit=lambda: woken.append(None)) as work:
        a_retry_write(execution).stage(work)

    assert not woken
