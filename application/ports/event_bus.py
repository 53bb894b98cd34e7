from typing import Protocol

from automation_retry.application.messages import RetriedEvent


class EventBus(Protocol):
    """The bus on which retries are announced, as part of a unit of work."""

    def publish(self, event: RetriedEvent) -> None:
        """Stages an event: it is published if and only if this unit of work commits its retry."""
        ...
