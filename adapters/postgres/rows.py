"""Between rows and values: rows arrive typed by the driver, records leave as JSON."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

import orjson
from cattrs.preconf.orjson import make_converter
from psycopg.types.json import Jsonb

from automation_retry.adapters.wire.json_values import converter
from automation_retry.application import IdempotencyKey, Message
from automation_retry.domain import CLEARED, Execution, Retry

T = TypeVar("T")


def _moment(value: datetime | str, _: Any = None) -> datetime:
    # Columns arrive as datetimes in the session's time zone; the times in logs are JSON.
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def _unchanged(value: Any, _: Any) -> Any:
    return value


def _unless_none(structure: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda value, _: None if value is None else structure(value)


# Types that the driver returns already. Without these hooks cattrs would dispatch on every value,
# and walk through all JSON of a payload.
_TYPED = (UUID, UUID | None, str | None, Mapping[str, Any], Mapping[str, Any] | None)

_rows = make_converter(detailed_validation=False)
_rows.register_structure_hook_func(lambda cls: cls in _TYPED, _unchanged)
_rows.register_structure_hook(datetime, _moment)
_rows.register_structure_hook(datetime | None, _unless_none(_moment))
_rows.register_structure_hook(int | None, _unless_none(int))
_rows.register_structure_hook(float | None, _unless_none(float))


def from_row(row: Mapping[str, Any], cls: type[T]) -> T:
    """The value that a row holds under the names of its attributes."""
    return _rows.structure(row, cls)


def execution_record(execution: Execution) -> Jsonb:
    """The parameter of REPORT."""
    return Jsonb(converter.unstructure(execution))


def execution_records(executions: Iterable[Execution]) -> Jsonb:
    """The parameter of ADD_EXECUTIONS."""
    return Jsonb([converter.unstructure(execution) for execution in executions])


def change_records(retries: Iterable[Retry]) -> Jsonb:
    """What COMMIT changes in executions: the new values, and as `was_…` those that were read."""
    return Jsonb([_change(retry) for retry in retries])


def _change(retry: Retry) -> dict[str, Any]:
    execution, attempt = retry.execution, retry.failed_attempt
    record: dict[str, Any] = {
        "tenant": execution.tenant,
        "execution_id": execution.execution_id,
        "status": execution.status.value,
        "retry_count": execution.retry_count,
        "attempt": attempt.attempt,
        "retried_at": attempt.retried_at,
        "retried_by": attempt.retried_by,
        "api_key_id": attempt.api_key_id,
        "request_id": attempt.request_id,
    }
    for name in CLEARED:
        record[name] = getattr(execution, name)
        record[f"was_{name}"] = getattr(attempt, name)
    return record


def message_records(messages: Iterable[Message]) -> Jsonb:
    """The messages that COMMIT adds to the outbox."""
    return Jsonb(
        [
            {
                "tenant": message.tenant,
                "id": message.id,
                "kind": message.kind.value,
                "execution_id": message.execution_id,
                "attempt": message.attempt,
                "body": orjson.Fragment(message.body),
            }
            for message in messages
        ]
    )


def answer_records(answers: Iterable[tuple[IdempotencyKey, Execution]]) -> Jsonb:
    """The answers that COMMIT keeps for idempotency keys."""
    return Jsonb(
        [
            {
                "tenant": key.tenant,
                "caller": key.caller,
                "key": key.text,
                "retried_at": execution.started_at,
                "execution_id": execution.execution_id,
                "execution": converter.unstructure(execution),
            }
            for key, execution in answers
        ]
    )
