import asyncio
from collections.abc import Callable


async def in_thread(call: Callable[[], object]) -> None:
    """Runs a blocking call; a cancellation is raised only after the call has returned.

    A server whose start was abandoned half-way would be stopped by nobody.
    """
    work = asyncio.create_task(asyncio.to_thread(call))
    try:
        await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        raise


async def is_set_within(event: asyncio.Event, seconds: float) -> bool:
    """Waits for the event, up to `seconds`; whether it was set by then."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
