from collections.abc import Mapping
from typing import Any

from attrs import evolve

from automation_retry.domain import Execution


def own_copy(execution: Execution) -> Execution:
    """An equal execution that shares none of the mutable JSON values."""
    logs: Any = [evolve(entry, metadata=_json_copy(entry.metadata)) for entry in execution.logs]
    return evolve(
        execution,
        trigger_data=_json_copy(execution.trigger_data),
        execution_context=_json_copy(execution.execution_context),
        logs=logs,
    )


def _json_copy(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _json_copy(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_json_copy(inner) for inner in value]
    return value
