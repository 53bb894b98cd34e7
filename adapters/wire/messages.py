"""The bodies of messages, as consumers receive them.

A job is a flat object. An event is the envelope of AlgaPSA's event bus; its payload holds AlgaPSA's
`executionId`, `tenantId` and `userId`, and more.
"""

from typing import Any

import orjson

from automation_retry.application import ExecutionJob, Message, MessageKind, RetriedEvent
from automation_retry.domain import utc_text

EVENT_TYPE = "automation.execution.retried"


def job_message(job: ExecutionJob) -> Message:
    """The envelope of a job.

    Raises:
        orjson.JSONEncodeError: the request id holds text that JSON cannot hold.
    """
    retried = job.retried
    return _message(
        MessageKind.JOB,
        job,
        {
            "id": job.id,
            "tenant": retried.tenant,
            "execution_id": retried.execution_id,
            "automation_rule_id": retried.automation_rule_id,
            "attempt": retried.attempt,
            "requested_at": utc_text(retried.retried_at),
            "requested_by": retried.retried_by,
            "request_id": retried.request_id,
        },
    )


def event_message(event: RetriedEvent) -> Message:
    """The envelope of an event.

    Raises:
        orjson.JSONEncodeError: the request id holds text that JSON cannot hold.
    """
    retried = event.retried
    return _message(
        MessageKind.EVENT,
        event,
        {
            "id": event.id,
            "eventType": EVENT_TYPE,
            "timestamp": utc_text(retried.retried_at),
            "payload": {
                "executionId": retried.execution_id,
                "tenantId": retried.tenant,
                "userId": retried.retried_by,
                "automationRuleId": retried.automation_rule_id,
                "attempt": retried.attempt,
                "apiKeyId": retried.api_key_id,
                "requestId": retried.request_id,
            },
        },
    )


def _message(kind: MessageKind, sent: ExecutionJob | RetriedEvent, body: dict[str, Any]) -> Message:
    return Message(
        id=sent.id,
        kind=kind,
        tenant=sent.retried.tenant,
        execution_id=sent.retried.execution_id,
        attempt=sent.retried.attempt,
        body=orjson.dumps(body).decode(),
    )


def body_of(message: Message) -> dict[str, Any]:
    """The body as Python values, for a broker that takes no JSON text.

    Raises:
        ValueError: the body is not a JSON object.
    """
    body = orjson.loads(message.body)
    if not isinstance(body, dict):
        raise ValueError("its body is not a JSON object")  # noqa: TRY004 - a wrong value, from outside
    return body
