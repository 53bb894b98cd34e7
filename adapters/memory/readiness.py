from collections.abc import Sequence

from automation_retry.application.ports import Readiness


class MemoryReadiness(Readiness):
    """Memory is always there."""

    async def problems(self) -> Sequence[str]:
        return ()

    async def warnings(self) -> Sequence[str]:
        return []
