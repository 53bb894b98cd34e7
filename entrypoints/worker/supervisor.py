import asyncio
import logging
import random
from collections.abc import Sequence

from attrs import define, field

from automation_retry.adapters.log import log
from automation_retry.application.ports import Readiness
from automation_retry.entrypoints.worker.loop import Loop
from automation_retry.entrypoints.worker.pause import Backoff, Random
from automation_retry.entrypoints.worker.wake_up import WakeUp

_HEALTHY_S = 60.0
"""After a run of this length, the backoff starts over."""


@define(eq=False)
class Supervisor(Readiness):
    """Keeps the loops of a process running side by side, and knows which of them are down."""

    _loops: Sequence[Loop]
    _wake_up: WakeUp
    _random: Random = field(kw_only=True, default=random.random)
    _stopping: asyncio.Event = field(init=False, factory=asyncio.Event)
    _down: dict[str, str] = field(init=False, factory=dict)
    """Why a loop is not running, by its name."""

    async def run(self) -> None:
        """Runs the loops until `stop`; one that ends before that is restarted with backoff."""
        async with asyncio.TaskGroup() as tasks:
            for loop in self._loops:
                tasks.create_task(self._keep_running(loop), name=loop.name)

    def stop(self) -> None:
        """Lets the loops finish what is in progress; then `run` returns."""
        self._stopping.set()
        self._wake_up()

    async def problems(self) -> Sequence[str]:
        """A sentence for each loop that is down; none in a process that runs no loops."""
        return [f"The loop {name} is not running: {why}." for name, why in self._down.items()]

    async def _keep_running(self, loop: Loop) -> None:
        backoff = Backoff(self._random)
        now = asyncio.get_running_loop().time
        while not self._stopping.is_set():
            started = now()
            if why := await self._run(loop):
                if now() - started >= _HEALTHY_S:
                    backoff.reset()
                self._down[loop.name] = why
                await backoff.pause(self._stopping)
                del self._down[loop.name]

    async def _run(self, loop: Loop) -> str | None:
        """Runs a loop to its end and returns why it ended, or None after a stop."""
        failure: BaseException | None = None
        try:
            await loop.run(self._stopping)
        except asyncio.CancelledError as error:
            if _cancelled_from_outside():
                raise
            failure = error  # leaked by a library; the task group would drop it silently
        except Exception as error:  # noqa: BLE001 - the loop is restarted, whatever it is
            failure = error
        if failure is None and self._stopping.is_set():
            return None
        # Only the type: the sentence is public, and the text of an error may hold a tenant's data.
        why = f"it ended with {type(failure).__name__}" if failure else "it returned"
        log(logging.ERROR, "loop ended", loop=loop.name, reason=why, exc_info=failure)
        return why


def _cancelled_from_outside() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
