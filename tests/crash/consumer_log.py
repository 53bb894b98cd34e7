import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from attrs import define, field

from automation_retry.application import MessageKind
from tests.crash.records import AttemptKey, Delivery, ExecutionKey
from tests.support.messages import read


@define(eq=False)
class ConsumerLog:
    """What the consumers of a broker received, in their order."""

    _on_job: Callable[[AttemptKey], None]
    """Called with the attempt of each job, once for each id."""
    deliveries: list[Delivery] = field(factory=list, init=False)
    _ids: set[object] = field(factory=set, init=False)
    _attempts: set[tuple[MessageKind, AttemptKey]] = field(factory=set, init=False)
    _received: asyncio.Event = field(factory=asyncio.Event, init=False)

    def receive(self, kind: MessageKind, body: Mapping[str, Any]) -> None:
        """Records a message; consumers call it for each delivery, before they acknowledge it."""
        message = read(kind, body)
        retried = message.retried
        attempt = AttemptKey(ExecutionKey(retried.tenant, retried.execution_id), retried.attempt)
        self.deliveries.append(Delivery(kind=kind, id=message.id, attempt=attempt))
        self._attempts.add((kind, attempt))
        if kind is MessageKind.JOB and message.id not in self._ids:
            self._on_job(attempt)
        self._ids.add(message.id)
        self._received.set()

    def has(self, attempt: AttemptKey) -> bool:
        """Whether both the job and the event of an attempt have been received."""
        return all((kind, attempt) in self._attempts for kind in MessageKind)

    async def until(self, attempt: AttemptKey) -> None:
        """Returns when both the job and the event of an attempt have been received."""
        while not self.has(attempt):
            self._received.clear()
            await self._received.wait()

    @property
    def redeliveries(self) -> int:
        return len(self.deliveries) - len(self._ids)
