"""Between rows and values: rows arrive typed by the driver, records leave as JSON."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

import orjson
from psycopg.types.json import Jsonb

from automation_retry.adapters.staging import Staged
from automation_retry.application import IdempotencyKey, Message
from automation_retry.domain import (
    CLEARED,
    MAX_RETRY_COUNT,
    PAYLOADS,
    Execution,
    ExecutionLog,
    FailedAttempt,
    Json,
    Retry,
    UnreadableExecution,
    is_count,
    is_duration,
    status_of,
    utc_text,
)

T = TypeVar("T")


class _OutOfRange(Exception):
    """A stored value that the contract cannot express."""


def _moment(value: Any) -> datetime | None:
    """Columns without a time zone are in UTC; `Connection` returns other types for no datetimes."""
    if value is None:
        return None
    if not isinstance(value, datetime):
        raise _OutOfRange
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def _duration(value: Any) -> float | None:
    if value is None:
        return None
    number = float(value) if isinstance(value, Decimal) else value
    if not is_duration(number):
        raise _OutOfRange
    return float(number)


def _count(value: Any) -> int | None:
    if value is not None and not is_count(value):
        raise _OutOfRange
    return None if value is None else int(value)


def _unchanged(value: Any) -> Any:
    return value


_CLEARED = {
    "started_at": _moment,
    "completed_at": _moment,
    "duration_ms": _duration,
    "actions_successful": _count,
    "actions_failed": _count,
    "error_message": _unchanged,
    "error_stack": _unchanged,
    "failed_action_index": _unchanged,
}


def cleared_values(row: Mapping[str, Any]) -> tuple[dict[str, Any], frozenset[str]]:
    """The values of the fields that a retry clears, and the names of those out of range."""
    values: dict[str, Any] = {}
    unreadable: list[str] = []
    for name, convert in _CLEARED.items():
        try:
            values[name] = convert(row[name])
        except _OutOfRange:
            values[name] = None
            unreadable.append(name)
    return values, frozenset(unreadable)


def execution_from(row: Mapping[str, Any]) -> Execution:
    """The execution in a row of `automation_executions`.

    Raises:
        UnreadableExecution: a value that a retry keeps, or decides on, is out of range.
    """
    kept, wrong = kept_values(row)
    if wrong:
        raise UnreadableExecution(row["execution_id"], wrong)
    cleared, unreadable = cleared_values(row)
    return Execution(
        **kept,
        **with_counters(cleared),
        **payload_values(row),
        truncated=frozenset(row.get("truncated") or ()),
        unreadable=unreadable,
        revision=row.get("revision"),
    )


def kept_values(row: Mapping[str, Any]) -> tuple[dict[str, Any], Sequence[str]]:
    """The values that a retry keeps or decides on; None and named where they are out of range."""
    retry_count = row["retry_count"] or 0
    status, total = row["status"], row["actions_total"]
    values = {
        "tenant": row["tenant"],
        "execution_id": row["execution_id"],
        "automation_rule_id": row["automation_rule_id"],
        "status": None if status is None else status_of(status),
        "actions_total": total if is_count(total) else None,
        "retry_count": retry_count
        if is_count(retry_count) and retry_count <= MAX_RETRY_COUNT
        else None,
    }
    return values, [name for name, value in values.items() if value is None]


def with_counters(values: Mapping[str, Any]) -> dict[str, Any]:
    """Cleared values as answers have them: counters that are missing count 0."""
    return {
        **values,
        "actions_successful": values["actions_successful"] or 0,
        "actions_failed": values["actions_failed"] or 0,
    }


def payload_values(row: Mapping[str, Any]) -> dict[str, Any]:
    """The payloads in a row that has them as text."""
    texts = {name: row[name] for name in PAYLOADS}
    return {
        name: None if text is None else ExecutionLog(text) if name == "logs" else Json(text)
        for name, text in texts.items()
    }


_IDS = ("tenant", "execution_id", "automation_rule_id")
_TIMES = ("started_at", "completed_at")
_COLUMNS = (*_IDS, *CLEARED, *PAYLOADS, "status", "actions_total", "retry_count")


def recorded_execution(record: Mapping[str, Any], payloads: Mapping[str, Any]) -> Execution:
    """The execution in a record as `sql.columns.record` makes it; payloads are JSON texts."""
    row: dict[str, Any] = dict.fromkeys(_COLUMNS) | dict(record)
    row |= {name: payloads[name] for name in PAYLOADS}
    row |= {name: row[name] and UUID(row[name]) for name in _IDS}
    row |= {name: row[name] and _parsed(row[name]) for name in _TIMES}
    return execution_from(row)


def _parsed(text: str) -> datetime | str:
    """The text itself if it is no time that a `datetime` can hold."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return text


def attempt_from(row: Mapping[str, Any]) -> FailedAttempt:
    """The attempt in a row of `automation_failed_attempts`."""
    values, unreadable = cleared_values(row)
    return FailedAttempt(
        **values,
        tenant=row["tenant"],
        execution_id=row["execution_id"],
        attempt=row["attempt"],
        retried_at=row["retried_at"],
        retried_by=row["retried_by"],
        api_key_id=row["api_key_id"],
        request_id=row["request_id"],
        reason=row["reason"],
        truncated=frozenset(row["truncated"]),
        unreadable=unreadable.union(row["out_of_range"] or ()),
    )


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else utc_text(moment)


def execution_record(execution: Execution) -> Jsonb:
    """The parameter of REPORT: without what is truncated or unreadable."""
    return Jsonb(_record(execution))


def execution_records(executions: Iterable[Execution]) -> Jsonb:
    """The parameter of ADD_EXECUTIONS."""
    return Jsonb([_record(execution) for execution in executions])


def _record(execution: Execution) -> dict[str, Any]:
    left_out = execution.truncated | execution.unreadable
    record: dict[str, Any] = {
        "tenant": execution.tenant,
        "execution_id": execution.execution_id,
        "automation_rule_id": execution.automation_rule_id,
        "actions_total": execution.actions_total,
        "retry_count": execution.retry_count,
        **_new_values(execution),
    }
    for name in PAYLOADS:
        payload: Json | None = getattr(execution, name)
        record[name] = None if payload is None else orjson.Fragment(payload.text)
    return {name: value for name, value in record.items() if name not in left_out}


def _new_values(execution: Execution) -> dict[str, Any]:
    return {
        "status": execution.status.value,
        "started_at": _time(execution.started_at),
        "completed_at": _time(execution.completed_at),
        "duration_ms": execution.duration_ms,
        "actions_successful": execution.actions_successful,
        "actions_failed": execution.actions_failed,
        "error_message": execution.error_message,
        "error_stack": execution.error_stack,
        "failed_action_index": execution.failed_action_index,
        "retry_count": execution.retry_count,
    }


def commit_parameters(group: Iterable[Staged]) -> dict[str, Jsonb]:
    """The parameters of `sql.unit_of_work.commit`, except the limit."""
    changes, keys, messages = [], [], []
    for staged in group:
        changes += [_change(retry, staged.reservations) for retry in staged.retries]
        keys += [_key(key, execution_id) for key, execution_id in staged.keys.items()]
        messages += [_message(message) for message in staged.messages]
    return {"changes": Jsonb(changes), "keys": Jsonb(keys), "messages": Jsonb(messages)}


def _change(retry: Retry, reservations: Mapping[tuple[UUID, UUID], UUID]) -> dict[str, Any]:
    before, after, attempt = retry.before, retry.execution, retry.failed_attempt
    new = _new_values(after)
    return {
        "tenant": after.tenant,
        "execution_id": after.execution_id,
        "automation_rule_id": before.automation_rule_id,
        "before_count": before.retry_count,
        "revision": before.revision,
        "actions_total": before.actions_total,
        "attempt": attempt.attempt,
        "retried_at": utc_text(attempt.retried_at),
        "retried_by": attempt.retried_by,
        "api_key_id": attempt.api_key_id,
        "request_id": attempt.request_id,
        "reason": attempt.reason,
        "reservation_id": reservations.get((after.tenant, after.execution_id)),
        "started_at": new["started_at"],
        "after": new,
    }


def _key(key: IdempotencyKey, execution_id: UUID) -> dict[str, Any]:
    return {
        "tenant": key.tenant,
        "caller": key.caller,
        "key": key.text,
        "execution_id": execution_id,
    }


def _message(message: Message) -> dict[str, Any]:
    return {
        "tenant": message.tenant,
        "id": message.id,
        "kind": message.kind.value,
        "execution_id": message.execution_id,
        "attempt": message.attempt,
        "body": orjson.Fragment(message.body),
    }


def message_records(messages: Iterable[Message]) -> Jsonb:
    """Messages as the statement takes them."""
    return Jsonb([_message(message) for message in messages])
