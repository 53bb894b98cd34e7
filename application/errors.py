"""What goes wrong outside the domain's rules. Errors carry data and write their own message."""

from uuid import UUID


class ApplicationError(Exception):
    """A use case could not be carried out."""


class ApiKeyRequired(ApplicationError):
    """The caller sent no API key."""

    def __init__(self) -> None:
        super().__init__("API key required")


class InvalidApiKey(ApplicationError):
    """The API key opens nothing. `reason` is for the log; the caller is told no more than this."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__("Invalid API key")


class ExecutionNotFound(ApplicationError):
    """No such execution in the principal's tenant; whether another has it is not told."""

    def __init__(self, execution_id: UUID) -> None:
        self.execution_id = execution_id
        super().__init__("Execution not found")


class RetryConflict(ApplicationError):
    """The execution kept changing under the retry. Nothing was written; asking again is safe."""

    def __init__(self, execution_id: UUID) -> None:
        self.execution_id = execution_id
        super().__init__(f"Execution {execution_id} is being changed by others; retry it again")


class InvalidIdempotencyKey(ApplicationError):
    """The text is not an idempotency key."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__("Idempotency-Key must be 1 to 255 printable ASCII characters")


class IdempotencyKeyReused(ApplicationError):
    """The key belongs to the retry of another execution. Nothing was done."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__("Idempotency-Key was used for another request")


class StorageUnavailable(ApplicationError):
    """The storage did not answer. `reason` is for the log.

    After a read nothing happened. After a commit the outcome is unknown, but never half.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__("The service is temporarily unavailable")


class DeliveryError(Exception):
    """An engine did not take what the relay handed it. Never reaches a caller of a retry."""


class EngineUnavailable(DeliveryError):
    """The engine could not be reached or did not acknowledge; the same messages may come again."""

    def __init__(self, engine: str, reason: str) -> None:
        self.engine = engine
        self.reason = reason
        super().__init__(f"{engine} is unavailable: {reason}")


class MessageRefused(DeliveryError):
    """The engine will never take this message; the others of its batch may be handed again."""

    def __init__(self, message_id: UUID, reason: str) -> None:
        self.message_id = message_id
        self.reason = reason
        super().__init__(f"message {message_id} was refused: {reason}")
