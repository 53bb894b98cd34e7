"""What a store holds of an execution after a use case ran, or failed to."""

from collections.abc import Sequence
from datetime import timedelta

from attrs import frozen

from automation_retry.adapters.memory import MemoryStore
from automation_retry.application import MessageKind
from automation_retry.domain import Execution, FailedAttempt
from tests.support.factories import NOON
from tests.support.memory import waiting
from tests.support.messages import Sent

RETRIED_AT = NOON + timedelta(hours=1)


@frozen
class LeftBehind:
    execution: Execution
    failed_attempts: Sequence[FailedAttempt] = ()
    jobs: Sequence[Sent] = ()
    events: Sequence[Sent] = ()


def left_behind(store: MemoryStore, execution: Execution) -> LeftBehind:
    """The stored execution, its attempts, and all messages of the store."""
    ids = (execution.tenant, execution.execution_id)
    return LeftBehind(
        store.execution(*ids),
        tuple(store.failed_attempts(*ids)),
        waiting(store, MessageKind.JOB),
        waiting(store, MessageKind.EVENT),
    )
