"""The results of a round as plain values: all that the audit reads."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from attrs import field, frozen

from automation_retry.application import MessageKind


@frozen(order=True)
class ExecutionKey:
    tenant: UUID
    execution_id: UUID

    def __str__(self) -> str:
        return f"execution {self.execution_id} of tenant {self.tenant}"


@frozen(order=True)
class AttemptKey:
    """One retry of one execution; `attempt` is the `retry_count` after it."""

    execution: ExecutionKey
    attempt: int

    def __str__(self) -> str:
        return f"attempt {self.attempt} of {self.execution}"


@frozen(kw_only=True)
class Answer:
    """The outcome of one request for its client. Times are seconds since the round began."""

    asked: ExecutionKey
    """The execution id in the path, and the tenant of the API key."""
    sent_at: float
    ended_at: float
    status: int | None
    """None when no answer came: timeout, connection refused, reset."""
    reason: str
    """The error code of the answer, or why there was none; empty for 200."""
    promised: AttemptKey | None = None
    """The attempt that the body of a 200 acknowledges."""
    key: str | None = None
    """The idempotency key of the request."""
    replayed: bool = False
    """Whether the answer says that it repeats an earlier one."""


@frozen(kw_only=True)
class Delivery:
    """One message as a real consumer received it, recorded before it was acknowledged."""

    kind: MessageKind
    id: UUID
    attempt: AttemptKey


@frozen(kw_only=True)
class ArchivedAttempt:
    """A row of `automation_failed_attempts`."""

    attempt: AttemptKey
    retried_by: UUID
    request_id: str | None
    error_message: str | None


@frozen(kw_only=True)
class StoredExecution:
    """A row of `automation_executions`."""

    key: ExecutionKey
    status: str
    retry_count: int
    error_message: str | None


@frozen(kw_only=True)
class OutboxMessage:
    """A row that is still in `automation_outbox`."""

    kind: MessageKind
    id: UUID
    attempt: AttemptKey
    dead_reason: str | None


@frozen(kw_only=True)
class Canary:
    """A tenant that no request is meant for: all its rows as text, before and after."""

    tenant: UUID
    before: Sequence[str]
    after: Sequence[str]


@frozen(kw_only=True)
class Evidence:
    """All that is audited after a round."""

    answers: Sequence[Answer]
    deliveries: Sequence[Delivery]
    """Of each kind in the order in which its consumer received them."""
    archived: Sequence[ArchivedAttempt]
    executions: Sequence[StoredExecution]
    outbox: Sequence[OutboxMessage]
    users: Mapping[UUID, UUID]
    """The tenant of each user."""
    canary: Canary
    endings: Sequence[str] = field(default=())
    """Processes that ended unexpectedly."""
    settled: bool = True
    """Whether the last requests were accepted and delivered in time, all faults being over."""


def error_of(generation: int) -> str:
    """What the engine of this harness writes when the run of a generation fails."""
    return f"the run of generation {generation} failed"
