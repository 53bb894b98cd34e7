from enum import Enum

from attrs import frozen


class ExecutionStatus(Enum):
    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMEOUT = "timeout"
    SKIPPED = "skipped"


@frozen
class UnknownStatus:
    """A stored status that this version does not know; it is shown as it is, and never retried."""

    value: str


def status_of(text: str) -> ExecutionStatus | UnknownStatus:
    """The status that is stored as `text`."""
    known = _KNOWN.get(text)
    return UnknownStatus(text) if known is None else known


_KNOWN = {status.value: status for status in ExecutionStatus}
