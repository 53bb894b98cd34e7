from collections.abc import Sequence
from typing import Protocol


class Readiness(Protocol):
    """Whether the storage can keep a promise now."""

    async def problems(self) -> Sequence[str]:
        """What stands in the way, each as a sentence for an operator; empty when ready."""
        ...
