from uuid import UUID

from automation_retry.application.idempotency import IdempotencyKey
from automation_retry.application.messages import ExecutionJob, RetriedEvent
from automation_retry.application.ports import NewId, UnitOfWork
from automation_retry.domain import Retry


def stage(
    work: UnitOfWork,
    retry: Retry,
    new_id: NewId,
    *,
    key: IdempotencyKey | None = None,
    reservation_id: UUID | None = None,
) -> None:
    """Stages a retry with its job and its event."""
    work.record(retry, key, reservation_id)
    work.queue.enqueue(ExecutionJob(id=new_id(), retried=retry.event))
    work.events.publish(RetriedEvent(id=new_id(), retried=retry.event))
