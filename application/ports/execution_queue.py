from typing import Protocol

from automation_retry.application.messages import ExecutionJob


class ExecutionQueue(Protocol):
    """The engine's work queue, as part of a unit of work."""

    def enqueue(self, job: ExecutionJob) -> None:
        """Stages a job: it is queued if and only if this unit of work commits its retry."""
        ...
