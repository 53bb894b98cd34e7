from uuid import UUID

from attrs import frozen

from automation_retry.adapters.json_codec import kind_of
from automation_retry.application import ExecutionJob, Message, MessageKind


@frozen
class MessageAddress:
    """What a message is about; the outbox holds at most one message of each address."""

    kind: MessageKind
    tenant: UUID
    execution_id: UUID
    attempt: int

    @classmethod
    def of(cls, message: Message) -> "MessageAddress":
        subject = message if isinstance(message, ExecutionJob) else message.retried
        return cls(kind_of(message), subject.tenant, subject.execution_id, subject.attempt)

    @property
    def execution(self) -> tuple[UUID, UUID]:
        """The tenant and the execution_id."""
        return self.tenant, self.execution_id
