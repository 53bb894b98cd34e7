"""Errors outside the domain's rules. Each carries its data and writes its own message."""

from collections.abc import Mapping, Sequence
from uuid import UUID


class ApplicationError(Exception):
    """A use case failed."""


class ApiKeyRequired(ApplicationError):
    """The caller sent no API key."""

    def __init__(self) -> None:
        super().__init__("API key required")


class InvalidApiKey(ApplicationError):
    """The API key is not valid. `reason` is for the log; the caller learns no more than this."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__("Invalid API key")


class ExecutionNotFound(ApplicationError):
    """The principal's tenant has no such execution; another tenant may have it."""

    def __init__(self, execution_id: UUID) -> None:
        self.execution_id = execution_id
        super().__init__("Execution not found")


class InvalidParameters(ApplicationError):
    """Arguments, parameters of a query or fields of a body are not what they may be.

    `expected` says what would be right for each, by its name.
    """

    def __init__(self, expected: Mapping[str, str]) -> None:
        self.expected = expected
        super().__init__(f"Invalid parameter: {', '.join(expected)}")


class QueryTooBroad(ApplicationError):
    """Too much would have to be read to answer a query within its time limit."""

    def __init__(self, within_s: float) -> None:
        self.within_s = within_s
        super().__init__(
            f"The query takes more than {within_s:g} s; narrow the time, as with failed_from or "
            "started_from"
        )


class RetryConflict(ApplicationError):
    """The execution kept changing during the retry. Nothing was written; retrying is safe."""

    def __init__(self, execution_id: UUID) -> None:
        self.execution_id = execution_id
        super().__init__(f"Execution {execution_id} is being changed by others; retry it again")


class InvalidIdempotencyKey(ApplicationError):
    """The text is not an idempotency key."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__("Idempotency-Key must be 1 to 255 printable ASCII characters")


class IdempotencyKeyReused(ApplicationError):
    """The key was used for another request. Nothing was done."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__("Idempotency-Key was used for another request")


class RequestInProgress(ApplicationError):
    """The first request with this idempotency key has no answer yet. Repeating it is safe."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__("The first request with this Idempotency-Key is still running")


class StorageUnavailable(ApplicationError):
    """The storage did not answer. `reason` is for the log.

    After a read nothing happened. After a commit the outcome is unknown: all of it or nothing.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__("The service is temporarily unavailable")


class StorageFailed(ApplicationError):
    """The storage refused a statement for good, as because of a trigger; nothing was written.

    The reason quotes nothing that is stored.
    """

    def __init__(self, reason: str, functions: Sequence[str] = ()) -> None:
        self.reason = reason
        self.functions = functions
        """The functions in the storage that refused it, the innermost first."""
        super().__init__(f"The storage refused a statement: {reason}")


class SchemaRefused(Exception):
    """The database cannot be migrated as it is; what could not be applied changed nothing.

    Each problem is a sentence that says what would help.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = problems
        super().__init__(" ".join(problems))


class RetryNotStored(ApplicationError):
    """Something in the database, as a trigger or a rule, discarded the update of the execution.

    Nothing was written.
    """

    def __init__(self, execution_id: UUID) -> None:
        self.execution_id = execution_id
        super().__init__(
            f"The update of execution {execution_id} was discarded, as by a trigger or a rule on "
            "automation_executions"
        )


class AttemptArchived(Exception):
    """A unit of work used the number of an attempt that is archived already; nothing was written.

    Somebody set `retry_count` back. Use cases go on with the next free number.
    """

    def __init__(self) -> None:
        super().__init__("An attempt of this number is archived already")


class UserExists(Exception):
    """Some tenant has a user of that name already; nothing was written."""

    def __init__(self, username: str, tenants: Sequence[UUID]) -> None:
        self.username = username
        self.tenants = tenants
        super().__init__(f"A user {username!r} exists already")


class DeliveryError(Exception):
    """A broker did not accept a message. Never reaches the caller of a retry."""


class BrokerUnavailable(DeliveryError):
    """The broker was not reached or did not acknowledge; the same messages may be sent again."""

    def __init__(self, broker: str, reason: str) -> None:
        self.broker = broker
        self.reason = reason
        super().__init__(f"{broker} is unavailable: {reason}")


class MessageRefused(DeliveryError):
    """The broker will never accept this message; the others of its batch may be sent again."""

    def __init__(self, message_id: UUID, reason: str) -> None:
        self.message_id = message_id
        self.reason = reason
        super().__init__(f"message {message_id} was refused: {reason}")
