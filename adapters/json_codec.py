"""How values travel as JSON: one converter for storage, engines and HTTP."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, assert_never
from uuid import UUID

import orjson
from cattrs.preconf.orjson import OrjsonConverter, make_converter

from automation_retry.application import ExecutionJob, Message, MessageKind, RetriedEvent
from automation_retry.domain import ExecutionRetried

EVENT_TYPE = "automation.execution.retried"


def utc_text(moment: datetime) -> str:
    """ISO 8601 in UTC with microseconds and a `Z`, as `2026-11-23T22:05:00.123456Z`."""
    return moment.astimezone(UTC).isoformat("T", "microseconds").removesuffix("+00:00") + "Z"


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


def message_record(message: Message) -> dict[str, Any]:
    """The JSON object of a message, with its ids as UUIDs, which orjson writes faster than `str`.

    A job is flat. An event is the envelope of AlgaPSA's event bus; its payload is AlgaPSA's
    `{executionId, tenantId, userId}` and more.
    """
    match message:
        case ExecutionJob():
            return {
                "id": message.id,
                "tenant": message.tenant,
                "execution_id": message.execution_id,
                "automation_rule_id": message.automation_rule_id,
                "attempt": message.attempt,
                "requested_at": utc_text(message.requested_at),
                "requested_by": message.requested_by,
                "request_id": message.request_id,
            }
        case RetriedEvent():
            retried = message.retried
            return {
                "id": message.id,
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
            }
        case _:
            assert_never(message)


def message_json(message: Message) -> bytes:
    """The JSON of a message, as engines carry it.

    Raises:
        orjson.JSONEncodeError: it holds text that no JSON can hold.
    """
    return orjson.dumps(message_record(message))


def message_body(message: Message) -> dict[str, Any]:
    """What `message_json` says, for what takes JSON as Python's values.

    Raises:
        orjson.JSONEncodeError: it holds text that no JSON can hold.
    """
    body: dict[str, Any] = orjson.loads(message_json(message))
    return body


# Tenants, users, keys and rules come again and again.
_known_id = lru_cache(maxsize=4096)(UUID)


def message_from(kind: MessageKind, body: Mapping[str, Any]) -> Message:
    """The message that `message_record` wrote, as JSON has it.

    Raises:
        Exception: the body is not of this form; any kind of error, since it came from outside.
    """
    match kind:
        case MessageKind.JOB:
            return ExecutionJob(
                id=UUID(body["id"]),
                tenant=_known_id(body["tenant"]),
                execution_id=UUID(body["execution_id"]),
                automation_rule_id=_known_id(body["automation_rule_id"]),
                attempt=body["attempt"],
                requested_at=datetime.fromisoformat(body["requested_at"]),
                requested_by=_known_id(body["requested_by"]),
                request_id=body.get("request_id"),
            )
        case MessageKind.EVENT:
            payload = body["payload"]
            return RetriedEvent(
                id=UUID(body["id"]),
                retried=ExecutionRetried(
                    tenant=_known_id(payload["tenantId"]),
                    execution_id=UUID(payload["executionId"]),
                    automation_rule_id=_known_id(payload["automationRuleId"]),
                    attempt=payload["attempt"],
                    retried_at=datetime.fromisoformat(body["timestamp"]),
                    retried_by=_known_id(payload["userId"]),
                    api_key_id=_known_id(payload["apiKeyId"]) if payload["apiKeyId"] else None,
                    request_id=payload.get("requestId"),
                ),
            )
        case _:
            assert_never(kind)
