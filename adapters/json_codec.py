"""How values travel as JSON: one converter for storage, engines and HTTP."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, assert_never
from uuid import UUID

from cattrs.preconf.orjson import OrjsonConverter, make_converter

from application import ExecutionJob, Message, MessageKind, RetriedEvent
from domain import ExecutionRetried

EVENT_TYPE = "automation.execution.retried"


def utc_text(moment: datetime) -> str:
    """ISO 8601 in UTC with microseconds and a `Z`, as `2026-11-23T22:05:00.123456Z`."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _moment(text: str, _: type[datetime]) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _uuid(text: str, _: type[UUID]) -> UUID:
    return UUID(text)


def new_converter() -> OrjsonConverter:
    """An orjson converter that writes times as `utc_text` and ids as strings."""
    converter = make_converter()
    converter.register_unstructure_hook(datetime, utc_text)
    converter.register_structure_hook(datetime, _moment)
    converter.register_unstructure_hook(UUID, str)
    converter.register_structure_hook(UUID, _uuid)
    return converter


converter = new_converter()


def kind_of(message: Message) -> MessageKind:
    return MessageKind.JOB if isinstance(message, ExecutionJob) else MessageKind.EVENT


def message_body(message: Message) -> dict[str, Any]:
    """The JSON object of a message, as engines carry it.

    A job is flat. An event is the envelope of AlgaPSA's event bus; its payload is AlgaPSA's
    `{executionId, tenantId, userId}` and more.
    """
    match message:
        case ExecutionJob():
            body: dict[str, Any] = converter.unstructure(message)
            return body
        case RetriedEvent():
            retried = message.retried
            return {
                "id": str(message.id),
                "eventType": EVENT_TYPE,
                "timestamp": utc_text(retried.retried_at),
                "payload": {
                    "executionId": str(retried.execution_id),
                    "tenantId": str(retried.tenant),
                    "userId": str(retried.retried_by),
                    "automationRuleId": str(retried.automation_rule_id),
                    "attempt": retried.attempt,
                    "apiKeyId": str(retried.api_key_id) if retried.api_key_id else None,
                    "requestId": retried.request_id,
                },
            }
        case _:
            assert_never(message)


def message_from(kind: MessageKind, body: Mapping[str, Any]) -> Message:
    """The message that `message_body` wrote.

    Raises:
        Exception: the body is not of this form; any kind of error, since it came from outside.
    """
    match kind:
        case MessageKind.JOB:
            return converter.structure(body, ExecutionJob)
        case MessageKind.EVENT:
            payload = body["payload"]
            return RetriedEvent(
                id=UUID(body["id"]),
                retried=ExecutionRetried(
                    tenant=UUID(payload["tenantId"]),
                    execution_id=UUID(payload["executionId"]),
                    automation_rule_id=UUID(payload["automationRuleId"]),
                    attempt=payload["attempt"],
                    retried_at=datetime.fromisoformat(body["timestamp"]),
                    retried_by=UUID(payload["userId"]),
                    api_key_id=UUID(payload["apiKeyId"]) if payload["apiKeyId"] else None,
                    request_id=payload["requestId"],
                ),
            )
        case _:
            assert_never(kind)
