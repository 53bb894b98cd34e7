from collections.abc import Sequence

from attrs import define, field

from automation_retry.application import ExecutionJob, Message, RetriedEvent
from automation_retry.application.ports import EventBus, ExecutionQueue


@define(eq=False)
class StagedMessages(ExecutionQueue, EventBus):
    """Queue and bus of a unit of work: keeps messages for the commit; the relay hands them over."""

    messages: list[Message] = field(init=False, factory=list)

    async def enqueue(self, jobs: Sequence[ExecutionJob]) -> None:
        self.messages.extend(jobs)

    async def publish(self, events: Sequence[RetriedEvent]) -> None:
        self.messages.extend(events)
