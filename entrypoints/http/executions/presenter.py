"""Executions and attempts as JSON: AlgaPSA's fields, in AlgaPSA's order."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

import orjson
from attrs import frozen

from automation_retry.application import ExecutionSeen, Page
from automation_retry.application.ports import ListedExecution
from automation_retry.domain import (
    Execution,
    ExecutionStatus,
    FailedAttempt,
    Json,
    UnknownStatus,
    utc_text,
)
from automation_retry.entrypoints.http.executions.fields import ATTEMPT_FIELDS, EXECUTION_FIELDS
from automation_retry.entrypoints.http.wire.links import Links
from automation_retry.entrypoints.http.wire.paging import paginated


def _time(value: datetime | None) -> str | None:
    return None if value is None else utc_text(value)


_WHOLE_BELOW = 2**53
"""Beyond it a double is not exact anyway, and no longer an integer of 64 bits some time later."""


def _integer_if_whole(duration_ms: float | None) -> float | None:
    if duration_ms is None or duration_ms % 1 or duration_ms >= _WHOLE_BELOW:
        return duration_ms
    return int(duration_ms)


def _status(value: ExecutionStatus | UnknownStatus | None) -> str | None:
    return None if value is None else value.value


def _payload(value: Json | None) -> orjson.Fragment | None:
    return None if value is None else orjson.Fragment(value.text)


_CONVERSIONS: Mapping[str, Callable[[Any], Any]] = {
    "status": _status,
    "retried_at": utc_text,
    "started_at": _time,
    "completed_at": _time,
    "duration_ms": _integer_if_whole,
    "trigger_data": _payload,
    "execution_context": _payload,
    "logs": _payload,
}


def presented(
    subject: Execution | FailedAttempt | ListedExecution, names: Iterable[str]
) -> dict[str, Any]:
    """Those fields as JSON, and the names of those that are left out."""
    fields = {
        name: _CONVERSIONS[name](getattr(subject, name))
        if name in _CONVERSIONS
        else getattr(subject, name)
        for name in names
    }
    for what in ("truncated", "unreadable"):
        if left_out := getattr(subject, what).intersection(names):
            fields[what] = sorted(left_out)
    return fields


@frozen
class ExecutionPresenter:
    """Turns what the use cases return into bodies of answers.

    Times are ISO 8601 in UTC with microseconds and a `Z`, durations are in ms. An execution and an
    attempt always have all of their fields, null where there is no value. Payloads are the stored
    JSON. `truncated` names the fields that are null because they are too large, `unreadable` those
    of an attempt whose values JSON cannot express; both exist only where there are such fields.
    """

    links: Links

    def retried(self, execution: Execution) -> dict[str, Any]:
        link = self.links.execution(execution.execution_id)
        rule = self.links.rule(execution.automation_rule_id)
        return self._execution(execution, {"execution": link, **rule})

    def seen(self, seen: ExecutionSeen) -> dict[str, Any]:
        execution = seen.execution
        links = read_links(self.links, execution, may_retry=seen.may_retry)
        return self._execution(execution, {**links, "collection": self.links.executions})

    def attempts(self, page: Page[FailedAttempt]) -> dict[str, Any]:
        return paginated(page, [presented(attempt, ATTEMPT_FIELDS) for attempt in page.items])

    def _execution(self, execution: Execution, links: dict[str, str]) -> dict[str, Any]:
        data = presented(execution, EXECUTION_FIELDS)
        data["_links"] = links
        return {"data": data}


def read_links(
    links: Links, execution: Execution | ListedExecution, *, may_retry: bool
) -> dict[str, str]:
    """Of one that is read."""
    link = links.execution(execution.execution_id)
    retry = {"retry": f"{link}/retry"} if may_retry else {}
    return {"self": link, **links.rule(execution.automation_rule_id), **retry}
