from collections.abc import Sequence
from typing import Protocol


class Schema(Protocol):
    """The tables that an adapter needs."""

    async def migrate(self) -> Sequence[str]:
        """Applies what is missing, all or nothing, and returns the names of what was applied.

        Several processes may call it at once.

        Raises:
            StorageUnavailable: nothing was applied.
        """
        ...

    async def missing(self) -> Sequence[str]:
        """The names of what `migrate` would apply.

        Raises:
            StorageUnavailable: the storage did not answer.
        """
        ...
