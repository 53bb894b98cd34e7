from collections.abc import Sequence
from typing import Protocol


class Readiness(Protocol):
    """Whether an adapter can keep its promises now."""

    async def problems(self) -> Sequence[str]:
        """What prevents it, each as a sentence for an operator; empty when nothing does."""
        ...
