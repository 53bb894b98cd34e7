from collections.abc import Sequence
from typing import Protocol


class Readiness(Protocol):
    """Whether the storage can keep a promise now."""

    async def problems(self) -> Sequence[str]:
        """What stands in the way, each as a sentence for an operator; empty when ready."""
        ...

    async def warnings(self) -> Sequence[str]:
        """What an operator should look at although the service is ready.

        Raises:
            StorageUnavailable: the storage did not answer.
        """
        ...
