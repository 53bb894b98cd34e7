from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from attrs import frozen

from automation_retry.application.errors import InvalidParameters
from automation_retry.application.ports import (
    UNBOUNDED,
    Authorizer,
    Budget,
    Clock,
    ExecutionQueries,
    FailureGroups,
)
from automation_retry.application.selection import ExecutionFilter
from automation_retry.application.timeline import Timeline
from automation_retry.domain import AUTOMATION_READ, Principal

_WEEK: Final = timedelta(days=7)
MAX_GROUPS: Final = 100


@frozen(kw_only=True)
class FailureOverview:
    """The failures of some time, in groups."""

    groups: FailureGroups
    timeline: Timeline
    """Of all groups, and of each."""
    wanted: ExecutionFilter
    """Which failures, with the times that were the default."""


@frozen
class ListFailureGroups:
    """Groups what is failed now in the principal's tenant by rule and failure pattern."""

    authorizer: Authorizer
    queries: ExecutionQueries
    clock: Clock
    budget: Budget = UNBOUNDED

    async def __call__(  # noqa: PLR0913 - what is asked for
        self,
        principal: Principal,
        *,
        failed_from: datetime | None = None,
        failed_to: datetime | None = None,
        automation_rule_id: UUID | None = None,
        search: str | None = None,
        limit: int = 50,
    ) -> FailureOverview:
        """The largest groups of what failed in that time, by default in the last 7 days.

        Raises:
            PermissionDenied: the principal lacks `automation:read`.
            InvalidParameters: `failed_from` is after `failed_to`, or more than 3,570 days before;
                `limit` is not 1 to 100; `search` is not 1 to 200 characters.
            QueryTooBroad: it takes too long.
            StorageUnavailable: the storage did not answer.
        """
        await self.authorizer.require(principal, AUTOMATION_READ)
        if not 1 <= limit <= MAX_GROUPS:
            raise InvalidParameters({"limit": f"one whole number from 1 to {MAX_GROUPS}"})
        end = self.clock() if failed_to is None else failed_to
        wanted = ExecutionFilter(
            automation_rule_id=automation_rule_id,
            failed_from=_a_week_before(end) if failed_from is None else failed_from,
            failed_to=end,
            search=search,
        )
        timeline = Timeline.of(wanted.failed_from or end, end)
        with self.budget():
            groups = await self.queries.failure_groups(principal.tenant, wanted, timeline, limit)
        return FailureOverview(groups=groups, timeline=timeline, wanted=wanted)


def _a_week_before(end: datetime) -> datetime:
    try:
        return end - _WEEK
    except OverflowError:
        return end
