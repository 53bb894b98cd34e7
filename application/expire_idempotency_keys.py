from attrs import frozen

from automation_retry.application.idempotency import LIFETIME
from automation_retry.application.ports import Clock, IdempotencyKeys

_BATCH = 1000


@frozen
class ExpireIdempotencyKeys:
    """Removes the answers that nobody can have again."""

    keys: IdempotencyKeys
    clock: Clock

    async def __call__(self) -> int:
        """How many were removed, a batch at a time, so that nothing is locked for long.

        Raises:
            StorageUnavailable: some may have been removed; the rest is for the next time.
        """
        removed = 0
        before = self.clock() - LIFETIME
        while True:
            batch = await self.keys.remove(before, _BATCH)
            removed += batch
            if batch < _BATCH:
                return removed
