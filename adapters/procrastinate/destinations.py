"""Where messages go: the task and the queue of each kind."""

from collections.abc import Mapping
from typing import Final, LiteralString

from attrs import frozen

from automation_retry.adapters.wire.messages import EVENT_TYPE
from automation_retry.application import MessageKind

JOB_QUEUE: Final = "automation.executions"
JOB_TASK: Final = "automation.execute_execution"
EVENT_QUEUE: Final = "automation.events"
EVENT_TASK: Final = EVENT_TYPE


@frozen(kw_only=True)
class Destination:
    task: LiteralString
    queue: LiteralString


DESTINATIONS: Final[Mapping[MessageKind, Destination]] = {
    MessageKind.JOB: Destination(task=JOB_TASK, queue=JOB_QUEUE),
    MessageKind.EVENT: Destination(task=EVENT_TASK, queue=EVENT_QUEUE),
}
