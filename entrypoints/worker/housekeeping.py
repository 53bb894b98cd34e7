import asyncio
import logging
import random

from attrs import define, field

from automation_retry.adapters.log import log
from automation_retry.application import ExpireIdempotencyKeys, StorageUnavailable
from automation_retry.entrypoints.worker.loop import Loop
from automation_retry.entrypoints.worker.pause import Random, pause

_INTERVAL_S = 60.0


@define(eq=False)
class HousekeepingLoop(Loop):
    """Removes expired idempotency records about once a minute."""

    _expire_idempotency_keys: ExpireIdempotencyKeys
    _random: Random = field(kw_only=True, default=random.random)
    name: str = field(init=False, default="housekeeping")

    async def run(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            try:
                if removed := await self._expire_idempotency_keys():
                    log(logging.INFO, "idempotency keys expired", removed=removed)
            except StorageUnavailable as error:
                log(logging.WARNING, "housekeeping waits", reason=error.reason)
            except Exception:  # noqa: BLE001 - the next round may succeed
                log(logging.ERROR, "housekeeping failed", exc_info=True)
            await pause(stopping, _INTERVAL_S, self._random)
