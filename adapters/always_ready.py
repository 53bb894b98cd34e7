from collections.abc import Sequence

from automation_retry.application.ports import Lifecycle, Readiness


class AlwaysReady(Lifecycle, Readiness):
    """For what has no resources of its own: nothing to open, nothing that can be missing."""

    async def open(self) -> None:
        """Does nothing."""

    async def close(self) -> None:
        """Does nothing."""

    async def problems(self) -> Sequence[str]:
        return ()
