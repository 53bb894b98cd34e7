import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Mapping

from attrs import define, field

from automation_retry.adapters.log import log
from automation_retry.application import StorageUnavailable
from automation_retry.entrypoints.worker.loop import Loop
from automation_retry.entrypoints.worker.pause import Random, pause

_INTERVAL_S = 60.0


@define(eq=False)
class HousekeepingLoop(Loop):
    """Removes what has expired, about once a minute."""

    _expire: Mapping[str, Callable[[], Awaitable[int]]]
    """What removes it and returns how much, by the log event that tells so."""
    _random: Random = field(kw_only=True, default=random.random)
    name: str = field(init=False, default="housekeeping")

    async def run(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            for event, expire in self._expire.items():
                await self._removed(event, expire)
            await pause(stopping, _INTERVAL_S, self._random)

    async def _removed(self, event: str, expire: Callable[[], Awaitable[int]]) -> None:
        try:
            if removed := await expire():
                log(logging.INFO, event, removed=removed)
        except StorageUnavailable as error:
            log(logging.WARNING, "housekeeping waits", reason=error.reason)
        except Exception:  # noqa: BLE001 - the next round may succeed
            log(logging.ERROR, "housekeeping failed", exc_info=True)
