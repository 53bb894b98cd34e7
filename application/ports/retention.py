from typing import Protocol


class Retention(Protocol):
    """How long a broker keeps events, where that is this service's task.

    Brokers that forget events by themselves have none.
    """

    async def remove(self, limit: int) -> int:
        """Removes up to `limit` events that are older than the broker keeps them.

        Returns their number; 0 when there are no more. Events that a listener is working on are
        kept, jobs always. Costs O(limit) for each statement, waits for no consumer, and holds up
        none.

        Raises:
            StorageUnavailable: the storage did not answer.
        """
        ...
