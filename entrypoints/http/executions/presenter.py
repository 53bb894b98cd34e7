"""Executions and attempts as JSON: AlgaPSA's fields, in AlgaPSA's order."""

from operator import attrgetter
from typing import Any, Self
from uuid import UUID

from attrs import frozen
from cattrs import Converter
from cattrs.gen import make_dict_unstructure_fn, override

from automation_retry.adapters.wire.json_values import new_converter
from automation_retry.application import ExecutionSeen, Page
from automation_retry.domain import Execution, ExecutionStatus, FailedAttempt, LogEntry, LogLevel

EXECUTIONS = "/api/v1/automation/executions"
RULES = "/api/v1/automation/rules"

EXECUTION_FIELDS = (
    "execution_id",
    "automation_rule_id",
    "trigger_data",
    "status",
    "started_at",
    "completed_at",
    "duration_ms",
    "actions_total",
    "actions_successful",
    "actions_failed",
    "error_message",
    "error_stack",
    "failed_action_index",
    "execution_context",
    "logs",
    "tenant",
    "retry_count",
)


def _unchanged(value: Any) -> Any:
    return value


def _integer_if_whole(duration_ms: float | None) -> float | None:
    return int(duration_ms) if duration_ms is not None and duration_ms % 1 == 0 else duration_ms


def _presenting_converter() -> Converter:
    converter = new_converter()
    converter.register_unstructure_hook(UUID, _unchanged)  # orjson is faster than str
    for enum in (ExecutionStatus, LogLevel):
        converter.register_unstructure_hook(enum, attrgetter("value"))
    converter.register_unstructure_hook(
        LogEntry, make_dict_unstructure_fn(LogEntry, converter, _cattrs_omit_if_default=True)
    )
    converter.register_unstructure_hook(
        FailedAttempt,
        make_dict_unstructure_fn(
            FailedAttempt,
            converter,
            tenant=override(omit=True),
            execution_id=override(omit=True),
            duration_ms=override(unstruct_hook=_integer_if_whole),
        ),
    )
    # Payloads are JSON values already; converting them would only cost time.
    converter.register_unstructure_hook(
        Execution,
        make_dict_unstructure_fn(
            Execution,
            converter,
            trigger_data=override(unstruct_hook=_unchanged),
            execution_context=override(unstruct_hook=_unchanged),
            duration_ms=override(unstruct_hook=_integer_if_whole),
        ),
    )
    return converter


@frozen
class ExecutionPresenter:
    """Turns what the use cases return into bodies of answers.

    Times are ISO 8601 in UTC with microseconds and a `Z`, durations are in ms. An execution and an
    attempt always have all of their fields, null where there is no value; only the optional fields
    of a log entry (`timestamp`, `action_index`, `metadata`), which AlgaPSA does not call nullable,
    are left out instead.
    """

    converter: Converter
    rule_links: bool

    @classmethod
    def new(cls, *, rule_links: bool) -> Self:
        return cls(_presenting_converter(), rule_links)

    def retried(self, execution: Execution) -> dict[str, Any]:
        link = f"{EXECUTIONS}/{execution.execution_id}"
        return self._execution(execution, {"execution": link, **self._rule(execution)})

    def seen(self, seen: ExecutionSeen) -> dict[str, Any]:
        """Links only to routes that exist, so `collection` is not among them yet."""
        link = f"{EXECUTIONS}/{seen.execution.execution_id}"
        links = {"self": link, **self._rule(seen.execution)}
        if seen.may_retry:
            links["retry"] = f"{link}/retry"
        return self._execution(seen.execution, links)

    def attempts(self, page: Page[FailedAttempt]) -> dict[str, Any]:
        return {
            "data": [self.converter.unstructure(attempt) for attempt in page.items],
            "pagination": {
                "page": page.request.page,
                "limit": page.request.limit,
                "total": page.total,
                "totalPages": page.total_pages,
                "hasNext": page.has_next,
                "hasPrev": page.has_prev,
            },
        }

    def _execution(self, execution: Execution, links: dict[str, str]) -> dict[str, Any]:
        fields = self.converter.unstructure(execution)
        data = {name: fields[name] for name in EXECUTION_FIELDS}
        data["_links"] = links
        return {"data": data}

    def _rule(self, execution: Execution) -> dict[str, str]:
        if not self.rule_links:
            return {}
        return {"rule": f"{RULES}/{execution.automation_rule_id}"}
