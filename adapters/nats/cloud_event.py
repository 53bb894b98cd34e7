from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from attrs import frozen

from automation_retry.adapters.wire.messages import EVENT_TYPE, Retried, body_of
from automation_retry.application import Message

CLOUD_EVENT: Final = "application/cloudevents+json"


@frozen(kw_only=True)
class CloudEvent:
    """An event in CloudEvents 1.0's structured JSON, as `cloud_event` makes it."""

    specversion: Literal["1.0"]
    id: Annotated[
        UUID, "The same when the message is delivered again: consumers deduplicate by it."
    ]
    source: str
    type: Literal["automation.execution.retried"]
    subject: Annotated[UUID, "The execution."]
    time: Annotated[datetime, "When it was retried."]
    datacontenttype: Literal["application/json"]
    data: Retried


def cloud_event(event: Message, source: str) -> dict[str, Any]:
    """An event in CloudEvents 1.0's structured JSON; `data` is the payload of AlgaPSA's event bus.

    https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md

    Raises:
        ValueError: the body is not a JSON object.
        KeyError: it lacks a field that a CloudEvent needs.
    """
    body = body_of(event)
    return {
        "specversion": "1.0",
        "id": body["id"],
        "source": source,
        "type": EVENT_TYPE,
        "subject": str(event.execution_id),
        "time": body["timestamp"],
        "datacontenttype": "application/json",
        "data": body["payload"],
    }
