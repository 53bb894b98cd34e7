from datetime import datetime
from typing import Protocol


class IdempotencyKeys(Protocol):
    """The answers that are kept for idempotency keys."""

    async def remove(self, before: datetime, limit: int) -> int:
        """Removes up to `limit` records of retries until `before`; returns their number.

        Raises:
            StorageUnavailable: the storage did not answer.
        """
        ...
