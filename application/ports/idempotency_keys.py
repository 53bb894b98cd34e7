from datetime import datetime
from typing import Protocol


class IdempotencyKeys(Protocol):
    """The answers that are kept for idempotency keys."""

    async def remove(self, before: datetime, limit: int) -> int:
        """Removes up to `limit` answers of retries before that moment; how many there were.

        Raises:
            StorageUnavailable: nothing was removed, or it will be found removed later.
        """
        ...
