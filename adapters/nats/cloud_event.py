from typing import Any

from automation_retry.adapters.wire.messages import EVENT_TYPE, body_of
from automation_retry.application import Message

CLOUD_EVENT = "application/cloudevents+json"


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
