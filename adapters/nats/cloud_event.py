from typing import Any

from automation_retry.adapters.json_codec import EVENT_TYPE, message_body
from automation_retry.application import RetriedEvent

CLOUD_EVENT = "application/cloudevents+json"


def cloud_event(event: RetriedEvent, source: str) -> dict[str, Any]:
    """An event in CloudEvents 1.0's structured JSON; `data` is the payload of AlgaPSA's event bus.

    https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
    """
    body = message_body(event)
    return {
        "specversion": "1.0",
        "id": body["id"],
        "source": source,
        "type": EVENT_TYPE,
        "subject": str(event.retried.execution_id),
        "time": body["timestamp"],
        "datacontenttype": "application/json",
        "data": body["payload"],
    }
