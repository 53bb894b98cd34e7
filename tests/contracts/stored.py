"""What a storage holds of one execution, read through its ports."""

from collections.abc import Sequence

from attrs import frozen

from automation_retry.application import MessageKind, PageRequest
from automation_retry.domain import Execution, FailedAttempt
from tests.contracts.storage import StorageUnderTest
from tests.support.factories import RetryWrite
from tests.support.messages import Sent, opened


@frozen
class Stored:
    execution: Execution
    failed_attempts: Sequence[FailedAttempt] = ()
    jobs: Sequence[Sent] = ()
    events: Sequence[Sent] = ()

    @classmethod
    def after(cls, write: RetryWrite) -> "Stored":
        """What there is when a first retry was written and nothing else."""
        return cls(
            write.retry.execution, (write.retry.failed_attempt,), (write.job,), (write.event,)
        )


async def stored(storage: StorageUnderTest, execution: Execution) -> Stored:
    """The execution as it is now, its attempts from the first on, and its claimable messages."""
    ids = (execution.tenant, execution.execution_id)
    archived = await storage.executions.failed_attempts(*ids, PageRequest(limit=100))
    return Stored(
        await storage.executions.get(*ids),
        tuple(reversed(archived.items)),
        await _messages(storage, MessageKind.JOB, execution),
        await _messages(storage, MessageKind.EVENT, execution),
    )


async def _messages(
    storage: StorageUnderTest, kind: MessageKind, execution: Execution
) -> Sequence[Sent]:
    """Those that were handed over, and those that a relay could claim now."""
    about = (execution.tenant, execution.execution_id)
    handed_over = [
        sent
        for sent in await storage.neighbours.handed_over(kind)
        if (sent.retried.tenant, sent.retried.execution_id) == about
    ]
    return (*handed_over, *await claimable(storage, kind, execution))


async def claimable(
    storage: StorageUnderTest, kind: MessageKind, execution: Execution
) -> Sequence[Sent]:
    """The messages of a kind about one execution that a relay could claim now."""
    about = (execution.tenant, execution.execution_id)
    async with storage.outbox.claim(kind, 10_000) as claim:
        return tuple(
            opened(one) for one in claim.messages if (one.tenant, one.execution_id) == about
        )
