from collections.abc import Sequence

from attrs import frozen

from automation_retry.application.ports import Retention

_BATCH = 1000


@frozen
class ExpireEvents:
    """Removes the events that no listener has taken in time, and those that it left behind."""

    retentions: Sequence[Retention]
    """Of the brokers that do not forget events by themselves."""

    async def __call__(self) -> int:
        """The number of removed events; removes them in batches, to hold no lock for long.

        Raises:
            StorageUnavailable: some may have been removed; the next call removes the rest.
        """
        removed = 0
        for retention in self.retentions:
            while batch := await retention.remove(_BATCH):
                removed += batch
        return removed
