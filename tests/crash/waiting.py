import asyncio
from collections.abc import Callable


async def in_thread(call: Callable[[], object]) -> None:
    """Runs a blocking call; when cancelled, waits for it to end before it gives way.

    Starting a server must not be left half done: nobody would end what comes of it.
    """
    work = asyncio.create_task(asyncio.to_thread(call))
    try:
        await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        raise


async def happens_within(event: asyncio.Event, seconds: float) -> bool:
    """Whether the event is set by then; returns as soon as it is."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
