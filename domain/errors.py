"""What the domain refuses. Each error carries its data and writes its own message."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uuid import UUID

    from automation_retry.domain.execution_status import ExecutionStatus, UnknownStatus
    from automation_retry.domain.principal import Permission


class DomainError(Exception):
    """A request that the rules of the domain refuse."""


class InvalidExecutionId(DomainError):
    """The text is not an execution id (`8-4-4-4-12` hexadecimal digits and nothing around it)."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__("Invalid automation ID format")


class ExecutionNotFailed(DomainError):
    """Only a failed execution can be retried."""

    def __init__(
        self, execution_id: "UUID", status: "ExecutionStatus | UnknownStatus", retry_count: int
    ) -> None:
        self.execution_id = execution_id
        self.status = status
        self.retry_count = retry_count
        super().__init__(
            f"Only failed executions can be retried; execution {execution_id} is {status.value}"
        )


class UnreadableExecution(DomainError):
    """Stored values of an execution are outside of what its contract can express.

    The message names the columns, never the values.
    """

    def __init__(self, execution_id: "UUID", columns: Sequence[str]) -> None:
        self.execution_id = execution_id
        self.columns = columns
        super().__init__(
            f"Execution {execution_id} has a value out of range in {', '.join(columns)}; "
            "correct it in the table automation_executions"
        )


class PermissionDenied(DomainError):
    """The principal lacks a permission."""

    def __init__(self, permission: "Permission") -> None:
        self.permission = permission
        super().__init__(f"Permission denied: Cannot {permission.action} {permission.resource}")
