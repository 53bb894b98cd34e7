from collections.abc import Sequence
from typing import Protocol

from automation_retry.application.messages import ExecutionJob, RetriedEvent


class ExecutionQueue(Protocol):
    """Where automation engines take their work from."""

    async def enqueue(self, jobs: Sequence[ExecutionJob]) -> None:
        """Hands jobs over in their order; returns when all of them are acknowledged as kept.

        Within a unit of work: staged, and handed over by the relay after the commit.
        Handing over the same job again is safe: consumers deduplicate by its id.

        Raises:
            EngineUnavailable: not acknowledged; some may have been taken, hand all of them again.
            MessageRefused: one job can never be taken; hand the others again.
        """
        ...


class EventBus(Protocol):
    """Where listeners hear of retried executions."""

    async def publish(self, events: Sequence[RetriedEvent]) -> None:
        """Publishes events in their order; promises and errors are those of `enqueue`.

        Raises:
            EngineUnavailable: not acknowledged; some may have been taken, publish all again.
            MessageRefused: one event can never be taken; publish the others again.
        """
        ...
