import asyncio
from collections.abc import Callable
from typing import Any

from attrs import define, field

from automation_retry.adapters.json_codec import kind_of, message_from
from automation_retry.application import ExecutionJob, MessageKind
from tests.crash.records import AttemptKey, Delivery, ExecutionKey


@define(eq=False)
class ConsumerLog:
    """What the consumers of an engine got, in their order."""

    _on_job: Callable[[AttemptKey], None]
    """Called with the attempt of each job, once for each id."""
    deliveries: list[Delivery] = field(factory=list, init=False)
    _ids: set[object] = field(factory=set, init=False)
    _attempts: set[tuple[MessageKind, AttemptKey]] = field(factory=set, init=False)
    _arrived: asyncio.Event = field(factory=asyncio.Event, init=False)

    def take(self, kind: MessageKind, body: dict[str, Any]) -> None:
        """Records a message; to be called before it is acknowledged, each time that it comes."""
        message = message_from(kind, body)
        assert kind_of(message) is kind
        subject = message if isinstance(message, ExecutionJob) else message.retried
        key = AttemptKey(ExecutionKey(subject.tenant, subject.execution_id), subject.attempt)
        self.deliveries.append(Delivery(kind=kind, id=message.id, attempt=key))
        self._attempts.add((kind, key))
        if kind is MessageKind.JOB and message.id not in self._ids:
            self._on_job(key)
        self._ids.add(message.id)
        self._arrived.set()

    def has(self, attempt: AttemptKey) -> bool:
        """Whether both the job and the event of an attempt have come."""
        return all((kind, attempt) in self._attempts for kind in MessageKind)

    async def until(self, attempt: AttemptKey) -> None:
        """Returns when both the job and the event of an attempt have come."""
        while not self.has(attempt):
            self._arrived.clear()
            await self._arrived.wait()

    @property
    def redeliveries(self) -> int:
        return len(self.deliveries) - len(self._ids)
