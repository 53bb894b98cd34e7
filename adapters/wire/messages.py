"""The bodies of messages, as consumers receive them; their JSON Schemas are in `schemas/`."""

from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

import orjson
from attrs import field, frozen

from automation_retry.adapters.wire.converter import CONVERTER
from automation_retry.application import ExecutionJob, Message, MessageKind, RetriedEvent
from automation_retry.domain import validators

EVENT_TYPE: Final = "automation.execution.retried"

_SAME_ID = "The same when the message is delivered again: consumers deduplicate by it."
_ATTEMPT = "The execution's `retry_count`: the generation of the run that is asked for."
_REQUEST_ID = "The id of the request that retried it."
_REASON = "Why it was retried, in the words of whoever did."


@frozen(kw_only=True)
class Job:
    """Asks an engine to run an execution. Sent for each retry.

    The job of the first run comes from whoever creates the execution.
    """

    id: Annotated[UUID, _SAME_ID]
    tenant: UUID
    execution_id: UUID
    automation_rule_id: UUID
    attempt: Annotated[
        int, f"{_ATTEMPT} 0 in the first job, which has none of the fields that follow."
    ] = field(validator=validators.generation)
    requested_at: Annotated[datetime | None, "When it was retried."] = None
    requested_by: Annotated[UUID | None, "The user who retried it."] = None
    request_id: Annotated[str | None, _REQUEST_ID] = None
    reason: Annotated[str | None, _REASON] = None


@frozen(kw_only=True)
class Retried:
    """What happened: the payload of an event. The first three are AlgaPSA's."""

    execution_id: UUID = field(alias="executionId")
    tenant_id: UUID = field(alias="tenantId")
    user_id: Annotated[UUID, "The user who retried it."] = field(alias="userId")
    automation_rule_id: UUID = field(alias="automationRuleId")
    attempt: Annotated[int, _ATTEMPT] = field(validator=validators.attempt)
    api_key_id: Annotated[UUID | None, "The key with which it was retried."] = field(
        alias="apiKeyId"
    )
    request_id: Annotated[str | None, _REQUEST_ID] = field(alias="requestId")
    reason: Annotated[str | None, _REASON] = None


@frozen(kw_only=True)
class Event:
    """Tells listeners that an execution was retried, in the envelope of AlgaPSA's event bus."""

    id: Annotated[UUID, _SAME_ID]
    event_type: Literal["automation.execution.retried"] = field(alias="eventType")
    timestamp: Annotated[datetime, "When it was retried."]
    payload: Retried


def job_message(job: ExecutionJob) -> Message:
    """The envelope of a job.

    Raises:
        orjson.JSONEncodeError: the request id or the reason holds text that JSON cannot hold.
    """
    retried = job.retried
    return _message(
        MessageKind.JOB,
        job,
        Job(
            id=job.id,
            tenant=retried.tenant,
            execution_id=retried.execution_id,
            automation_rule_id=retried.automation_rule_id,
            attempt=retried.attempt,
            requested_at=retried.retried_at,
            requested_by=retried.retried_by,
            request_id=retried.request_id,
            reason=retried.reason,
        ),
    )


def event_message(event: RetriedEvent) -> Message:
    """The envelope of an event.

    Raises:
        orjson.JSONEncodeError: the request id or the reason holds text that JSON cannot hold.
    """
    retried = event.retried
    return _message(
        MessageKind.EVENT,
        event,
        Event(
            id=event.id,
            eventType=EVENT_TYPE,
            timestamp=retried.retried_at,
            payload=Retried(
                executionId=retried.execution_id,
                tenantId=retried.tenant,
                userId=retried.retried_by,
                automationRuleId=retried.automation_rule_id,
                attempt=retried.attempt,
                apiKeyId=retried.api_key_id,
                requestId=retried.request_id,
                reason=retried.reason,
            ),
        ),
    )


def _message(kind: MessageKind, sent: ExecutionJob | RetriedEvent, body: Job | Event) -> Message:
    return Message(
        id=sent.id,
        kind=kind,
        tenant=sent.retried.tenant,
        execution_id=sent.retried.execution_id,
        attempt=sent.retried.attempt,
        body=orjson.dumps(CONVERTER.unstructure(body)).decode(),
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
