from collections.abc import Sequence

from attrs import frozen

from automation_retry.application.errors import StorageUnavailable
from automation_retry.application.ports import Outbox, Readiness, Schema


@frozen
class CheckReadiness:
    """Whether a retry can be accepted now, and what an operator should look at."""

    storage: Readiness
    schemas: Sequence[Schema]
    outbox: Outbox
    worker: Readiness
    """The background loops of this process."""

    async def problems(self) -> Sequence[str]:
        """Why no retry should be sent here, each as a sentence; empty when ready."""
        problems = list(await self.storage.problems())
        try:
            missing = [name for schema in self.schemas for name in await schema.missing()]
        except StorageUnavailable:
            return problems or ["The database does not answer."]
        if missing:
            problems.append(
                f"The database lacks {', '.join(missing)}; run `automation-retry migrate`."
            )
        return problems

    async def warnings(self) -> Sequence[str]:
        """What needs an operator although retries are accepted, each as a sentence.

        Raises:
            StorageUnavailable: the storage did not answer.
        """
        refused = [
            f"{backlog.dead} {backlog.kind.value} messages were refused by their broker; "
            "see `automation-retry outbox status`."
            for backlog in await self.outbox.backlog()
            if backlog.dead
        ]
        return [*refused, *await self.worker.problems()]
