"""The fields of executions and attempts in answers, in AlgaPSA's order, with their meaning.

Their types and bounds are those of the domain's classes.
"""

from collections.abc import Mapping
from typing import Any, Final

from automation_retry.adapters.wire.json_schema import Component, Schema, property_of
from automation_retry.application.ports import ListedExecution
from automation_retry.domain import Execution, FailedAttempt
from automation_retry.entrypoints.http.wire.paging import answer_with

EXECUTION_FIELDS: Final[Mapping[str, str]] = {
    "execution_id": "",
    "automation_rule_id": "The rule that it ran.",
    "trigger_data": "What started it; an object by AlgaPSA's contract, else what is stored.",
    "status": "Other statuses that a program has stored are shown as they are.",
    "started_at": "When its latest run began; the time of the retry until then.",
    "completed_at": "When its latest run ended.",
    "duration_ms": "How long its latest run took, in milliseconds.",
    "actions_total": "How many actions the rule has.",
    "actions_successful": "How many of them succeeded.",
    "actions_failed": "How many of them failed.",
    "error_message": "Why it failed.",
    "error_stack": "Where it failed.",
    "failed_action_index": "The action that failed, from 0.",
    "execution_context": "An object by AlgaPSA's contract, else what is stored.",
    "logs": "An array of {timestamp, level, message, action_index, metadata} by AlgaPSA's "
    "contract, else what is stored.",
    "tenant": "",
    "retry_count": "How often it was retried: the generation of its latest run.",
}

ATTEMPT_FIELDS: Final[Mapping[str, str]] = {
    "attempt": "Counts from 1; the execution's `retry_count` after the retry that archived it.",
    "retried_at": "When it was retried.",
    "retried_by": "The user who retried it.",
    "api_key_id": "The key with which it was retried.",
    "request_id": "The id of the request that retried it.",
    "reason": "Why it was retried, in the words of whoever did.",
    "started_at": "When the run began.",
    "completed_at": "When the run ended.",
    "duration_ms": "How long the run took, in milliseconds.",
    "actions_successful": "How many actions succeeded.",
    "actions_failed": "How many actions failed.",
    "error_message": "Why it failed.",
    "error_stack": "Where it failed.",
    "failed_action_index": "The action that failed, from 0.",
}

_LINK: Final = {"type": "string", "format": "uri-reference"}
_LINKS: Final = Component(
    "ExecutionLinks",
    {
        "type": "object",
        "description": "Paths. A retry has `execution`, a read `self`.",
        "properties": {
            "execution": {**_LINK, "description": "The execution."},
            "self": {**_LINK, "description": "The execution."},
            "collection": {**_LINK, "description": "All executions."},
            "rule": {**_LINK, "description": "Its rule, where AlgaPSA serves rules."},
            "retry": {
                **_LINK,
                "description": "Its retry; exactly if the caller could do that now.",
            },
        },
    },
)
_TRUNCATED: Final = {
    "type": "array",
    "items": {"type": "string"},
    "description": "Fields that are null because they are too large; absent where there are none.",
}
_UNREADABLE: Final = {
    "type": "array",
    "items": {"type": "string"},
    "description": "Fields that are null because no answer can have what was stored, such as an "
    "infinite time; absent where there are none.",
}


def _properties(cls: type, meanings: Mapping[str, str]) -> dict[str, Any]:
    return {name: _described(property_of(cls, name), text) for name, text in meanings.items()}


def _described(schema: Schema, meaning: str) -> Schema:
    return {**schema, "description": meaning} if meaning else schema


EXECUTION: Final = Component(
    "Execution",
    {
        "type": "object",
        "description": "One run of an automation rule.",
        "properties": {
            **_properties(Execution, EXECUTION_FIELDS),
            "truncated": _TRUNCATED,
            "unreadable": _UNREADABLE,
            "_links": _LINKS,
        },
        "required": [*EXECUTION_FIELDS, "_links"],
    },
)
EXECUTION_ANSWER: Final = answer_with(EXECUTION)
LISTED_EXECUTION: Final = Component(
    "ListedExecution",
    {
        "type": "object",
        "description": "What can be read of an execution: the fields that were asked for, null "
        "where they have no value or are named in `truncated` or `unreadable`.",
        "properties": {
            **_properties(ListedExecution, EXECUTION_FIELDS),
            "truncated": _TRUNCATED,
            "unreadable": _UNREADABLE,
            "_links": _LINKS,
        },
        "required": ["execution_id", "_links"],
    },
)
FAILED_ATTEMPT: Final = Component(
    "FailedAttempt",
    {
        "type": "object",
        "description": "A failed run as a retry archived it.",
        "properties": {
            **_properties(FailedAttempt, ATTEMPT_FIELDS),
            "truncated": _TRUNCATED,
            "unreadable": _UNREADABLE,
        },
        "required": [*ATTEMPT_FIELDS],
    },
)
