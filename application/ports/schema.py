from collections.abc import Sequence
from typing import Protocol


class Schema(Protocol):
    """The tables that an adapter needs."""

    async def migrate(self) -> Sequence[str]:
        """Applies what is missing, all or nothing, and returns the names of what was applied.

        Several processes may call it at once.

        Raises:
            SchemaRefused: the database cannot be migrated as it is; nothing was applied.
            StorageUnavailable: nothing was applied.
        """
        ...

    async def missing(self) -> Sequence[str]:
        """The names of what `migrate` would apply.

        Raises:
            StorageUnavailable: the storage did not answer.
        """
        ...

    async def problems(self, *, delivers: bool) -> Sequence[str]:
        """Why the existing tables cannot be used, each as a sentence that says what would help.

        With `delivers`, includes what only a relay needs; a separate relay may have another role.

        Raises:
            StorageUnavailable: the storage did not answer.
        """
        ...

    async def warnings(self, *, delivers: bool) -> Sequence[str]:
        """What may make single requests fail although the tables can be used; as sentences.

        With `delivers`, includes what the background work of a relay lacks.

        Raises:
            StorageUnavailable: the storage did not answer.
        """
        ...
