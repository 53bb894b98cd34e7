from collections.abc import Mapping, Sequence
from typing import Protocol

from attrs import field, frozen

from automation_retry.application.messages import Message, MessageKind
from automation_retry.application.ports.lifecycle import Lifecycle
from automation_retry.application.ports.readiness import Readiness
from automation_retry.application.ports.retention import Retention
from automation_retry.application.ports.schema import Schema


class Broker(Protocol):
    """Carries messages to their consumers: jobs to engines, events to listeners."""

    async def send(self, messages: Sequence[Message]) -> None:
        """Sends messages of one kind in order; returns when all of them are acknowledged.

        A message may be sent again with the same id: consumers deduplicate by it.

        Raises:
            BrokerUnavailable: not all were acknowledged; some may have been accepted, send all of
                them again.
            MessageRefused: one message can never be accepted; send the others again.
        """
        ...


@frozen(kw_only=True)
class Channel:
    """Where consumers find the messages of one kind, for their documentation."""

    address: str
    """As the broker names it; `{tenant}` stands for the id of a tenant."""
    protocol: str
    meaning: str
    """How a message lies in the channel."""
    body: type
    """The attrs class whose JSON a message is."""
    content_type: str = "application/json"


@frozen(kw_only=True)
class BrokerBundle:
    """A broker and all that has to be done with it."""

    name: str
    broker: Broker
    lifecycle: Lifecycle
    schema: Schema
    readiness: Readiness
    """Its `problems` also prepare the broker: streams that are missing are created."""
    channels: Mapping[MessageKind, Channel] = field(factory=dict)
    """Of the kinds that it carries to other processes."""
    retention: Retention | None = None
