"""What a storage holds of one execution, read through its ports."""

from collections.abc import Sequence

from attrs import frozen

from automation_retry.application import ExecutionJob, Message, MessageKind
from automation_retry.domain import Execution, FailedAttempt
from tests.factories import RetryWrite
from tests.ports.storage import Storage


@frozen
class Stored:
    execution: Execution
    failed_attempts: Sequence[FailedAttempt] = ()
    jobs: Sequence[Message] = ()
    events: Sequence[Message] = ()

    @classmethod
    def after(cls, write: RetryWrite) -> "Stored":
        """What there is when a first retry was written and nothing else."""
        return cls(
            write.retry.execution, (write.retry.failed_attempt,), (write.job,), (write.event,)
        )


async def stored(storage: Storage, execution: Execution) -> Stored:
    """The execution as it is now, its attempts from the first on, and its claimable messages."""
    ids = (execution.tenant, execution.execution_id)
    archived = await storage.repository.failed_attempts(*ids, page=1, limit=100)
    return Stored(
        await storage.repository.get(*ids),
        tuple(reversed(archived.items)),
        await claimable(storage, MessageKind.JOB, execution),
        await claimable(storage, MessageKind.EVENT, execution),
    )


async def claimable(storage: Storage, kind: MessageKind, execution: Execution) -> Sequence[Message]:
    """The messages of a kind about one execution that a relay could claim now."""
    async with storage.outbox.claim(kind, 10_000) as claim:
        return tuple(one for one in claim.messages if _is_about(one, execution))


def _is_about(message: Message, execution: Execution) -> bool:
    subject = message if isinstance(message, ExecutionJob) else message.retried
    return (subject.tenant, subject.execution_id) == (execution.tenant, execution.execution_id)
