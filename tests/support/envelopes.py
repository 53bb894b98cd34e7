"""Jobs and events as the relay hands them to a broker."""

from collections.abc import Sequence
from typing import Any

from automation_retry.adapters.wire.messages import body_of, event_message, job_message
from automation_retry.application import ExecutionJob, Message
from automation_retry.application.ports import BrokerBundle
from tests.support.messages import Sent


def envelope(sent: Sent) -> Message:
    return job_message(sent) if isinstance(sent, ExecutionJob) else event_message(sent)


def envelopes(sent: Sequence[Sent]) -> list[Message]:
    return [envelope(one) for one in sent]


def json_body(sent: Sent) -> dict[str, Any]:
    """What consumers are to receive."""
    return body_of(envelope(sent))


async def send(broker: BrokerBundle, sent: Sequence[Sent]) -> None:
    """Sends jobs or events in one call."""
    await broker.broker.send(envelopes(sent))
