"""The filters of a list as an answer shows them: what the parameters would have to be."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import attrs

from automation_retry.adapters.wire.json_schema import Component
from automation_retry.application import ExecutionFilter
from automation_retry.domain import utc_text

META: Final = Component(
    "ListMeta",
    {
        "type": "object",
        "properties": {
            "filters": {
                "type": "object",
                "description": "The filters as they were understood, by their parameters.",
                "additionalProperties": True,
            },
            "resource": {"type": "string"},
        },
        "required": ["filters", "resource"],
    },
)


def filters(wanted: ExecutionFilter) -> Mapping[str, Any]:
    """Those that are given or follow from others."""
    statuses = wanted.wanted_statuses
    values = {
        "status": statuses and ",".join(sorted(one.value for one in statuses)),
        **attrs.asdict(wanted, filter=lambda attribute, _: attribute.name != "statuses"),
    }
    return {name: _shown(value) for name, value in values.items() if value is not None}


def _shown(value: Any) -> Any:
    return utc_text(value) if isinstance(value, datetime) else value
