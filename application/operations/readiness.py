import asyncio
from collections.abc import Iterator, Mapping, Sequence

from attrs import define, field, frozen

from automation_retry.application.errors import StorageUnavailable
from automation_retry.application.messages import MessageKind
from automation_retry.application.ports import (
    DEAD_COUNTED,
    DeliveryStatus,
    Outbox,
    Readiness,
    Schema,
)

_WITHIN_S = 3.0


@frozen(kw_only=True)
class ReadinessReport:
    """The result of a readiness check, in sentences for an operator."""

    problems: Sequence[str]
    """Why retries cannot be accepted; empty when ready."""
    warnings: Sequence[str] = ()
    """What an operator should look at although retries are accepted."""


@define(eq=False, kw_only=True)
class CheckReadiness:
    """Checks whether a retry can be accepted now, and how the delivery goes.

    A check is O(1) in the backlog; concurrent callers share one.
    """

    storage: Readiness
    schemas: Sequence[Schema]
    outbox: Outbox
    worker: Readiness
    """The background loops of this process."""
    delivers: bool
    """Whether this process also relays."""
    brokers: Mapping[MessageKind, str]
    """The name of the broker that carries each kind."""
    warn_after_s: float
    """The age in seconds above which a waiting message causes a warning."""
    _problems_before: bool = field(default=False, init=False)
    _tables_before: Sequence[str] = field(factory=list, init=False)
    """Warnings about tables."""
    _running: asyncio.Task[ReadinessReport] | None = field(default=None, init=False)

    async def __call__(self) -> ReadinessReport:
        """The report, within 3 s: a database that does not answer by then is a problem."""
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._bounded())
        return await asyncio.shield(self._running)

    async def _bounded(self) -> ReadinessReport:
        found: list[str] = []
        try:
            async with asyncio.timeout(_WITHIN_S):
                return await self._check(found)
        except TimeoutError:
            self._problems_before = True
            return ReadinessReport(problems=found or ["The database does not answer."])

    async def _check(self, found: list[str]) -> ReadinessReport:
        """Leaves in `found` what was found when it is cut off.

        What was mended is seen by new sessions only. So they are replaced when there is a problem,
        and once more when there is none any longer.
        """
        await self._find_problems(found)
        if found or self._problems_before:
            await self.storage.renew()
        if found:
            still: list[str] = []
            await self._find_problems(still)
            found[:] = still
        self._problems_before = bool(found)
        if found:
            return ReadinessReport(problems=found)
        warnings = [
            *await self._warnings_of_tables(),
            *await self._warnings_of_delivery(),
            *await self.worker.problems(),
        ]
        return ReadinessReport(problems=(), warnings=warnings)

    async def _find_problems(self, found: list[str]) -> None:
        """Adds them as they are found: none twice, and nothing that only follows from another."""
        found.extend(await self.storage.problems())
        try:
            for schema in self.schemas:
                problems = await schema.problems(delivers=self.delivers)
                found.extend(one for one in problems if one not in found)
            missing = [name for schema in self.schemas for name in await schema.missing()]
        except StorageUnavailable as unavailable:
            if not found:
                found.append(f"The database does not answer: {unavailable.reason}.")
            return
        if missing and not found:
            found.append(
                f"The database lacks {', '.join(missing)}; run `automation-retry migrate`."
            )

    async def _warnings_of_tables(self) -> Sequence[str]:
        try:
            tables = [
                one
                for schema in self.schemas
                for one in await schema.warnings(delivers=self.delivers)
            ]
        except StorageUnavailable as unavailable:
            return [f"The tables cannot be examined: {unavailable.reason}."]
        if tables != self._tables_before:
            await self.storage.renew()
        self._tables_before = tables
        return tables

    async def _warnings_of_delivery(self) -> Sequence[str]:
        try:
            statuses = await self.outbox.status()
        except StorageUnavailable as unavailable:
            return [f"The state of the delivery cannot be read: {unavailable.reason}."]
        return [sentence for one in statuses for sentence in self._warnings(one)]

    def _warnings(self, status: DeliveryStatus) -> Iterator[str]:
        kind, age = status.kind.value, status.oldest_age_s
        if status.dead:
            count = f"{DEAD_COUNTED} or more" if status.dead >= DEAD_COUNTED else status.dead
            yield (
                f"{count} {kind} messages were refused by their broker; "
                "see `automation-retry outbox status`."
            )
        if age is not None and age > self.warn_after_s:
            why = (
                f"{status.failure.age_s:.0f} s ago its delivery failed: {status.failure.reason}"
                if status.failure
                else "no relay has reported an error, so it is behind, or none is running"
            )
            broker = self.brokers[status.kind]
            yield f"The oldest {kind} message for {broker} has waited {age:.0f} s; {why}."
