from collections.abc import Sequence
from typing import Protocol


class Readiness(Protocol):
    """Whether an adapter can keep its promises now."""

    async def problems(self) -> Sequence[str]:
        """What prevents it, each as a sentence for an operator; empty when nothing does."""
        ...

    async def renew(self) -> None:
        """Replaces what may be out of date, as sessions from before a setting was mended.

        Does nothing where there is nothing of that kind.
        """
        return
