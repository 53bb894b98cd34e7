from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from automation_retry.application import MessageKind

Arrived = Callable[[Mapping[str, Any]], None]
"""Told of the body of each job that a consumer receives."""


class BareEngine(Protocol):
    """One engine without this service: its own client and a consumer as the README has it."""

    variables: Mapping[str, str]
    """Settings with which the service uses it."""

    async def hand_over(self, kind: MessageKind, bodies: Sequence[dict[str, Any]]) -> None:
        """A batch, as this engine's client does it best; returns when all are acknowledged."""
        ...

    def consuming(self, arrived: Arrived) -> AbstractAsyncContextManager[None]:
        """A consumer of jobs, ready when the context begins."""
        ...
