from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final, Protocol
from uuid import UUID

from attrs import frozen

from automation_retry.application.selection import ExecutionFilter, Position, Sorting
from automation_retry.application.timeline import Timeline
from automation_retry.domain import (
    MAX_RETRY_COUNT,
    ExecutionLog,
    ExecutionStatus,
    Json,
    UnknownStatus,
)

MAX_COUNTED: Final = 10_000
"""A total is exact up to here."""
MAX_STATUS_BYTES: Final = 1000
"""A longer one, which another program has stored, is unreadable in a list."""
MAX_READ_BYTES: Final = 8 * 2**20
"""Of payloads and texts in one part of a list, in UTF-8."""


@frozen(kw_only=True)
class ListedExecution:
    """What can be read of a stored execution, whatever others have written.

    A field is None where it has no value, was not asked for, or is named in `truncated` or
    `unreadable`.
    """

    tenant: UUID
    execution_id: UUID
    automation_rule_id: UUID | None = None
    status: ExecutionStatus | UnknownStatus | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    duration_ms: float | None = None
    actions_total: int | None = None
    actions_successful: int | None = None
    actions_failed: int | None = None
    error_message: str | None = None
    error_stack: str | None = None
    failed_action_index: int | None = None
    trigger_data: Json | None = None
    execution_context: Json | None = None
    logs: ExecutionLog | None = None
    retry_count: int | None = None
    truncated: frozenset[str] = frozenset()
    """Payloads and texts that were left out because of their size."""
    unreadable: frozenset[str] = frozenset()
    """Fields whose stored values the contract cannot express."""

    @property
    def retryable(self) -> bool:
        """Whether a retry would work: what it decides on and keeps is readable."""
        return (
            self.status is ExecutionStatus.FAILED
            and self.automation_rule_id is not None
            and self.actions_total is not None
            and self.retry_count is not None
            and self.retry_count < MAX_RETRY_COUNT
        )


@frozen(kw_only=True)
class Window:
    """A part of a list: after a position, or after a number of rows."""

    limit: int
    after: Position | None = None
    offset: int = 0
    counted: bool = True
    """Whether the total is asked for."""


@frozen(kw_only=True)
class ListedExecutions:
    """A part of a list."""

    items: Sequence[ListedExecution]
    next: Position | None
    """The last of the items; None exactly if no row follows it."""
    total: int | None
    """How many match, up to `MAX_COUNTED + 1`; None if that was not asked for."""


@frozen(kw_only=True)
class FailureGroup:
    """The failed executions of one rule with one failure pattern."""

    failure_group_id: str
    automation_rule_id: UUID | None
    """None where a program stored executions without a rule."""
    pattern: str
    count: int
    first_failed_at: datetime
    last_failed_at: datetime
    before_first_action: int
    """How many of them failed with no action done."""
    example_id: UUID
    """The latest of them."""
    example_message: str | None
    """Its first 1,000 characters."""
    timeline: Sequence[int]
    """How many of them failed in each bucket."""


@frozen(kw_only=True)
class FailureGroups:
    """The largest groups of a tenant's failures, and numbers about all of them."""

    items: Sequence[FailureGroup]
    """The largest first, then the latest first."""
    groups: int
    """The number of all groups."""
    executions: int
    """The number of executions in all groups."""
    timeline: Sequence[int]
    """How many of them failed in each bucket."""


class ExecutionQueries(Protocol):
    """What people ask about the executions of one tenant; reads what was committed."""

    async def executions(
        self,
        tenant: UUID,
        wanted: ExecutionFilter,
        sorting: Sorting,
        window: Window,
        fields: Collection[str],
    ) -> ListedExecutions:
        """A part of the sorted list of those that match.

        Of payloads and texts only those named in `fields` are read, and no more than
        `MAX_READ_BYTES` of them: from the first execution on whose do not fit, they are
        `truncated`. A storage may also leave out one that is large by itself. The other fields are
        always read.

        Raises:
            InvalidParameters: the position is none of this list.
            QueryTooBroad: it takes too long.
            StorageUnavailable: the storage did not answer.
        """
        ...

    async def failure_groups(
        self, tenant: UUID, wanted: ExecutionFilter, timeline: Timeline, limit: int
    ) -> FailureGroups:
        """The groups of those that are failed and match; `wanted` has both times of failure.

        Groups of the same size and time come in the order of their ids.

        Raises:
            QueryTooBroad: it takes too long.
            StorageUnavailable: the storage did not answer.
        """
        ...
