"""Executions and attempts as JSON: AlgaPSA's fields, in AlgaPSA's order."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from operator import attrgetter
from typing import Any

import orjson
from attrs import frozen

from automation_retry.application import ExecutionSeen, Page
from automation_retry.domain import Execution, FailedAttempt, Json, utc_text
from automation_retry.entrypoints.http.executions.fields import ATTEMPT_FIELDS, EXECUTION_FIELDS
from automation_retry.entrypoints.http.wire.paging import paginated

EXECUTIONS = "/api/v1/automation/executions"
RULES = "/api/v1/automation/rules"


def _time(value: datetime | None) -> str | None:
    return None if value is None else utc_text(value)


_WHOLE_BELOW = 2**53
"""Beyond it a double is not exact anyway, and no longer an integer of 64 bits some time later."""


def _integer_if_whole(duration_ms: float | None) -> float | None:
    if duration_ms is None or duration_ms % 1 or duration_ms >= _WHOLE_BELOW:
        return duration_ms
    return int(duration_ms)


def _payload(value: Json | None) -> orjson.Fragment | None:
    return None if value is None else orjson.Fragment(value.text)


_CONVERSIONS: Mapping[str, Callable[[Any], Any]] = {
    "status": attrgetter("value"),
    "retried_at": utc_text,
    "started_at": _time,
    "completed_at": _time,
    "duration_ms": _integer_if_whole,
    "trigger_data": _payload,
    "execution_context": _payload,
    "logs": _payload,
}


def _presented(subject: Execution | FailedAttempt, names: Iterable[str]) -> dict[str, Any]:
    """Those fields as JSON, and the names of those that are left out."""
    fields = {
        name: _CONVERSIONS[name](getattr(subject, name))
        if name in _CONVERSIONS
        else getattr(subject, name)
        for name in names
    }
    if subject.truncated:
        fields["truncated"] = sorted(subject.truncated)
    if subject.unreadable:
        fields["unreadable"] = sorted(subject.unreadable)
    return fields


@frozen
class ExecutionPresenter:
    """Turns what the use cases return into bodies of answers.

    Times are ISO 8601 in UTC with microseconds and a `Z`, durations are in ms. An execution and an
    attempt always have all of their fields, null where there is no value. Payloads are the stored
    JSON. `truncated` names the fields that are null because they are too large, `unreadable` those
    of an attempt whose values JSON cannot express; both exist only where there are such fields.
    """

    rule_links: bool
    root_path: str = ""
    """Begins all links."""

    def retried(self, execution: Execution) -> dict[str, Any]:
        link = self._link(execution)
        return self._execution(execution, {"execution": link, **self._rule(execution)})

    def seen(self, seen: ExecutionSeen) -> dict[str, Any]:
        """Links only to routes that exist, so `collection` is not among them yet."""
        link = self._link(seen.execution)
        links = {"self": link, **self._rule(seen.execution)}
        if seen.may_retry:
            links["retry"] = f"{link}/retry"
        return self._execution(seen.execution, links)

    def attempts(self, page: Page[FailedAttempt]) -> dict[str, Any]:
        return paginated(page, [_presented(attempt, ATTEMPT_FIELDS) for attempt in page.items])

    def _execution(self, execution: Execution, links: dict[str, str]) -> dict[str, Any]:
        data = _presented(execution, EXECUTION_FIELDS)
        data["_links"] = links
        return {"data": data}

    def _link(self, execution: Execution) -> str:
        return f"{self.root_path}{EXECUTIONS}/{execution.execution_id}"

    def _rule(self, execution: Execution) -> dict[str, str]:
        if not self.rule_links:
            return {}
        return {"rule": f"{self.root_path}{RULES}/{execution.automation_rule_id}"}
