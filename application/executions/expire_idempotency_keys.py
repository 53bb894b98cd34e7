from attrs import frozen

from automation_retry.application.idempotency import LIFETIME
from automation_retry.application.ports import Clock, IdempotencyKeys

_BATCH = 1000


@frozen
class ExpireIdempotencyKeys:
    """Removes expired idempotency records."""

    keys: IdempotencyKeys
    clock: Clock

    async def __call__(self) -> int:
        """The number of removed records; removes them in batches, to hold no lock for long.

        Raises:
            StorageUnavailable: some may have been removed; the next call removes the rest.
        """
        removed = 0
        before = self.clock() - LIFETIME
        while True:
            batch = await self.keys.remove(before, _BATCH)
            removed += batch
            if batch < _BATCH:
                return removed
