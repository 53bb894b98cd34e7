"""Failure groups as JSON."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from attrs import field, frozen

from automation_retry.adapters.wire.converter import CONVERTER
from automation_retry.adapters.wire.json_schema import Component, component_of, schema_of
from automation_retry.application import FailureOverview
from automation_retry.application.ports import FailureGroup
from automation_retry.entrypoints.http.wire.filters import META, filters
from automation_retry.entrypoints.http.wire.links import Links

_SHARED_FILTERS: Final = ("failed_from", "failed_to", "search")


@frozen(kw_only=True)
class Example:
    execution_id: UUID
    error_message: Annotated[str | None, "Its first 1,000 characters."]


@frozen(kw_only=True)
class Group:
    """Failed executions of one rule whose messages have one pattern."""

    failure_group_id: str
    automation_rule_id: Annotated[UUID | None, "Null where executions were stored without one."]
    pattern: Annotated[str, "What their messages have in common."]
    count: int
    first_failed_at: datetime
    last_failed_at: datetime
    before_first_action: Annotated[int, "How many failed with no action done."]
    example: Annotated[Example, "The latest of them."]
    timeline: Annotated[Sequence[int], "How many failed in each bucket of the timeline."]
    links: Annotated[
        Mapping[str, str],
        "`executions`: they with the same filters, so that their total is `count`. `rule`: their "
        "rule, where AlgaPSA serves rules.",
    ] = field(alias="_links")


@frozen(kw_only=True)
class Summary:
    groups: Annotated[int, "How many groups there are."]
    executions: Annotated[int, "How many executions are in all groups."]
    other_executions: Annotated[int, "How many of them are in groups that are not shown."]


_TIME: Final = schema_of(datetime)
_TIMELINE: Final = Component(
    "FailureTimeline",
    {
        "type": "object",
        "properties": {
            "from": {**_TIME, "description": "When the first bucket begins."},
            "to": {**_TIME, "description": "When the last bucket ends."},
            "bucket_seconds": {"type": "integer"},
            "failed": {
                "type": "array",
                "items": {"type": "integer"},
                "description": "How many failed in each bucket.",
            },
        },
        "required": ["from", "to", "bucket_seconds", "failed"],
    },
)
GROUPS_ANSWER: Final = Component(
    "FailureGroups",
    {
        "type": "object",
        "properties": {
            "data": {"type": "array", "items": component_of(Group)},
            "timeline": _TIMELINE,
            "summary": component_of(Summary),
            "meta": META,
        },
        "required": ["data", "timeline", "summary", "meta"],
    },
)


def groups_answer(found: FailureOverview, links: Links) -> Mapping[str, Any]:
    groups, timeline = found.groups, found.timeline
    understood = filters(found.wanted)
    same = {name: understood[name] for name in _SHARED_FILTERS if name in understood}
    shown = sum(group.count for group in groups.items)
    answer = {
        "data": [_group(group, same, links) for group in groups.items],
        "timeline": {
            "from": timeline.starts_at,
            "to": timeline.ends_at,
            "bucket_seconds": int(timeline.bucket.total_seconds()),
            "failed": groups.timeline,
        },
        "summary": Summary(
            groups=groups.groups,
            executions=groups.executions,
            other_executions=groups.executions - shown,
        ),
        "meta": {"filters": understood, "resource": "failure_group"},
    }
    return {name: CONVERTER.unstructure(value) for name, value in answer.items()}


def _group(group: FailureGroup, same: Mapping[str, Any], links: Links) -> Group:
    return Group(
        failure_group_id=group.failure_group_id,
        automation_rule_id=group.automation_rule_id,
        pattern=group.pattern,
        count=group.count,
        first_failed_at=group.first_failed_at,
        last_failed_at=group.last_failed_at,
        before_first_action=group.before_first_action,
        example=Example(execution_id=group.example_id, error_message=group.example_message),
        timeline=group.timeline,
        _links={
            "executions": links.listed(
                {"failure_group_id": group.failure_group_id, **same, "sort": "failed_at"}
            ),
            **links.rule(group.automation_rule_id),
        },
    )
