"""Where messages go: the task and the queue of each kind."""

from collections.abc import Mapping
from typing import Final, LiteralString

from attrs import frozen

from automation_retry.adapters.wire.messages import EVENT_TYPE, Event, Job
from automation_retry.application import MessageKind
from automation_retry.application.ports import Channel

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

_BODIES: Final = {MessageKind.JOB: Job, MessageKind.EVENT: Event}
CHANNELS: Final[Mapping[MessageKind, Channel]] = {
    kind: Channel(
        address=to.queue,
        protocol="procrastinate",
        meaning=f"A queue of Procrastinate, in the service's PostgreSQL; the arguments of the task "
        f"`{to.task}` are the message.",
        body=_BODIES[kind],
    )
    for kind, to in DESTINATIONS.items()
}
