from collections.abc import Callable, Sequence
from typing import Protocol

from attrs import frozen

Tell = Callable[[str], None]
"""Is called with a line for an operator when something begins, waits or is done."""


@frozen(kw_only=True)
class MigrationScript:
    """The statements of a migration as text that an operator can read and run; empty if none."""

    migrations: str = ""
    """What `migrate` would do, as one transaction."""
    indexes: str = ""
    """What `build_indexes` would do then, outside a transaction."""


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

    async def build_indexes(self, tell: Tell) -> Sequence[str]:
        """Builds indexes that are missing, or whose build was interrupted; returns their names.

        Comes after `migrate`, which has already built those of new tables. Nothing depends on them
        but speed. Readers and writers of the tables go on meanwhile; it may take hours, waits for
        older transactions, and can be interrupted and called again at any time. Several processes
        may call it at once. An index that somebody has to care for is told and left.

        Raises:
            SchemaRefused: an index cannot be built; those that were built before it stay.
            StorageUnavailable: the same, and another call may succeed.
        """
        ...

    async def script(self) -> MigrationScript:
        """What `migrate` and `build_indexes` would do now; changes nothing.

        Raises:
            SchemaRefused: the database cannot be migrated as it is.
            StorageUnavailable: the storage did not answer.
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
        """What may make single requests fail or slow although the tables can be used; as sentences.

        With `delivers`, includes what the background work of a relay lacks.

        Raises:
            StorageUnavailable: the storage did not answer.
        """
        ...
