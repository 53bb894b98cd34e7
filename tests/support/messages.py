"""What consumers make of the messages that they receive."""

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any, LiteralString, TypeVar, assert_never
from uuid import UUID

import orjson
from jsonschema import Draft202012Validator, FormatChecker
from psycopg import AsyncConnection
from psycopg.rows import scalar_row

from automation_retry.adapters.procrastinate.destinations import DESTINATIONS
from automation_retry.application import ExecutionJob, Message, MessageKind, RetriedEvent
from automation_retry.domain import ExecutionRetried
from tests.support.described import closed

Sent = ExecutionJob | RetriedEvent

S = TypeVar("S", ExecutionJob, RetriedEvent)


@cache
def _validator(name: str) -> Draft202012Validator:
    schema = orjson.loads(
        (files("automation_retry") / f"adapters/wire/schemas/{name}.json").read_bytes()
    )
    return Draft202012Validator(closed(schema), format_checker=FormatChecker())


def hold_to_schema(name: str, body: Mapping[str, Any]) -> None:
    """Fails unless a message is what its schema in the package says, and nothing more."""
    assert [error.message for error in _validator(name).iter_errors(body)] == []


def read(kind: MessageKind, body: Mapping[str, Any]) -> Sent:
    """The job or event that a body describes."""
    match kind:
        case MessageKind.JOB:
            return read_job(body)
        case MessageKind.EVENT:
            return read_event(body)
        case _:
            assert_never(kind)


def read_job(body: Mapping[str, Any]) -> ExecutionJob:
    """Without the API key's id, which a job does not carry."""
    hold_to_schema("job", body)
    return ExecutionJob(
        id=UUID(body["id"]),
        retried=ExecutionRetried(
            tenant=UUID(body["tenant"]),
            execution_id=UUID(body["execution_id"]),
            automation_rule_id=UUID(body["automation_rule_id"]),
            attempt=body["attempt"],
            retried_at=datetime.fromisoformat(body["requested_at"]),
            retried_by=UUID(body["requested_by"]),
            request_id=body["request_id"],
            reason=body["reason"],
        ),
    )


def read_event(body: Mapping[str, Any]) -> RetriedEvent:
    hold_to_schema("event", body)
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
            reason=payload["reason"],
        ),
    )


def opened(message: Message) -> Sent:
    """What the envelope holds; what stands outside must agree with it."""
    sent = read(message.kind, orjson.loads(message.body))
    about = sent.retried
    outside = (message.id, message.tenant, message.execution_id, message.attempt)
    assert outside == (sent.id, about.tenant, about.execution_id, about.attempt)
    return sent


_HANDED_OVER: LiteralString = """
SELECT args FROM procrastinate_jobs
WHERE queue_name = %(queue)s AND task_name = %(task)s AND status = 'todo'
ORDER BY id
"""


async def handed_over(connection: AsyncConnection[Any], kind: MessageKind) -> list[Sent]:
    """The messages of a kind in Procrastinate's queue, in its order."""
    to = DESTINATIONS[kind]
    rows = connection.cursor(row_factory=scalar_row)
    cursor = await rows.execute(_HANDED_OVER, {"queue": to.queue, "task": to.task})
    return [read(kind, body) for body in await cursor.fetchall()]
