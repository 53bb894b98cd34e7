from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from automation_retry.application import Message

Received = Callable[[Mapping[str, Any]], None]
"""Called with the body of each job that a consumer receives."""


class BareBroker(Protocol):
    """A broker without this service: its own client, and a consumer as in the README."""

    variables: Mapping[str, str]
    """The environment variables with which the service uses it."""

    async def send(self, messages: Sequence[Message]) -> None:
        """Sends the bodies of one kind as one batch, by the client's own means for batches.

        Returns when all are acknowledged. Like the relay, it is given bodies as JSON text.
        """
        ...

    def consuming(self, received: Received) -> AbstractAsyncContextManager[None]:
        """A consumer of jobs, ready when the context begins."""
        ...
