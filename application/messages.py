"""What a retry sends: a job for the automation engine and an event for listeners.

Use cases stage them as values of the application; the outbox keeps them as envelopes.
"""

from enum import Enum
from uuid import UUID

from attrs import field, frozen

from automation_retry.domain import ExecutionRetried


class MessageKind(Enum):
    JOB = "job"
    EVENT = "event"


@frozen(kw_only=True)
class ExecutionJob:
    """Asks the engine to run an execution again.

    Consumers deduplicate by `id` and fence results by the attempt.
    """

    id: UUID
    retried: ExecutionRetried


@frozen(kw_only=True)
class RetriedEvent:
    """Tells listeners that an execution was retried. Consumers deduplicate by `id`."""

    id: UUID
    retried: ExecutionRetried


@frozen(kw_only=True)
class Message:
    """An envelope: all that outbox and relay need to know, around a body that they do not read."""

    id: UUID
    kind: MessageKind
    tenant: UUID
    execution_id: UUID
    attempt: int
    body: str = field(repr=False)
    """A JSON object, as consumers receive it."""
