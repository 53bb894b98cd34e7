"""What is handed to the engines for each retry: one job, one event, each with a fixed id."""

from datetime import datetime
from enum import Enum
from uuid import UUID

from attrs import frozen

from automation_retry.domain import ExecutionRetried


class MessageKind(Enum):
    JOB = "job"
    EVENT = "event"


@frozen(kw_only=True)
class ExecutionJob:
    """Run this execution again. Consumers deduplicate by `id` and fence results by `attempt`."""

    id: UUID
    tenant: UUID
    execution_id: UUID
    automation_rule_id: UUID
    attempt: int
    """The execution's `retry_count` that this run belongs to."""
    requested_at: datetime
    requested_by: UUID
    request_id: str | None = None


@frozen(kw_only=True)
class RetriedEvent:
    """Tells listeners that an execution was retried. Listeners deduplicate by `id`."""

    id: UUID
    retried: ExecutionRetried


Message = ExecutionJob | RetriedEvent
