import asyncio
from typing import Protocol


class Loop(Protocol):
    """Work that a process repeats in the background."""

    name: str
    """Unique among the loops of a process."""

    async def run(self, stopping: asyncio.Event) -> None:
        """Works until `stopping` is set, then finishes what is in progress and returns."""
        ...
