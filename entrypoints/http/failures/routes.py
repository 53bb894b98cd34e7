from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final
from uuid import UUID

from attrs import frozen
from starlette.responses import Response

from automation_retry.application import (
    ExecutionFilter,
    FailureOverview,
    QueryTooBroad,
    Timeline,
)
from automation_retry.application.ports import FailureGroup, FailureGroups
from automation_retry.domain import AUTOMATION_READ, failure_group_id, failure_pattern
from automation_retry.entrypoints.http.api import Api
from automation_retry.entrypoints.http.endpoint import (
    Call,
    Endpoint,
    ProtectedEndpoint,
    Success,
    Tag,
)
from automation_retry.entrypoints.http.failures.answers import GROUPS_ANSWER, groups_answer
from automation_retry.entrypoints.http.wire.error_table import EXAMPLE_ID
from automation_retry.entrypoints.http.wire.json_response import JsonResponse
from automation_retry.entrypoints.http.wire.links import FAILURE_GROUPS, Links
from automation_retry.entrypoints.http.wire.parameters import Parameters
from automation_retry.entrypoints.http.wire.query_values import Text, Time, Uuid
from automation_retry.entrypoints.http.wire.values import Whole

_NOON: Final = datetime(2026, 11, 23, 12, tzinfo=UTC)
_RULE: Final = UUID("2d83e6e4-0b5f-4f7a-9a54-1c7f0d9e6b32")
_MESSAGE: Final = "SMTP 454 4.7.0 Temporary authentication failure"


@frozen(kw_only=True)
class FailureGroupQuery(Parameters):
    """The query of the failure groups."""

    failed_from: (
        Annotated[datetime, Time(), "Failed then or later; by default 7 days before `failed_to`."]
        | None
    ) = None
    failed_to: Annotated[datetime, Time(), "Failed before; by default now."] | None = None
    automation_rule_id: Annotated[UUID, Uuid(), "The rule that they ran."] | None = None
    search: (
        Annotated[
            str,
            Text(1, 200),
            "A part of `error_message`; ASCII letters match in either case, nothing is a wildcard.",
        ]
        | None
    ) = None
    limit: Annotated[int, Whole(1, 100), "How many groups are shown."] = 50


def failure_endpoints(api: Api) -> Sequence[Endpoint]:
    links = Links(api.rule_links, api.root_path)

    async def groups(call: Call) -> Response:
        query: FailureGroupQuery = call.query
        found = await api.list_failure_groups(
            call.principal,
            failed_from=query.failed_from,
            failed_to=query.failed_to,
            automation_rule_id=query.automation_rule_id,
            search=query.search,
            limit=query.limit,
        )
        return JsonResponse(groups_answer(found, links))

    return [
        ProtectedEndpoint(
            method="GET",
            path=FAILURE_GROUPS,
            query=FailureGroupQuery,
            permission=AUTOMATION_READ,
            operation_id="listFailureGroups",
            tag=Tag("Failures", "What is failed now, in groups of failures that look alike."),
            summary="Group failed executions by rule and failure pattern",
            description="The largest groups come first, then the latest. A pattern is what is left "
            "of a message when ids, times, addresses and numbers are folded away.",
            success=Success(
                meaning="The groups of that time, and how many failed when.",
                schema=GROUPS_ANSWER,
                example=_example(links),
            ),
            errors=[QueryTooBroad],
            handler=groups,
        )
    ]


def _example(links: Links) -> object:
    wanted = ExecutionFilter(failed_from=_NOON, failed_to=_NOON + timedelta(hours=1))
    timeline = Timeline.of(_NOON, _NOON + timedelta(hours=1))
    counts = [*[0] * 42, 2, 1, *[0] * 16]
    group = FailureGroup(
        failure_group_id=failure_group_id(_RULE, _MESSAGE),
        automation_rule_id=_RULE,
        pattern=failure_pattern(_MESSAGE),
        count=3,
        first_failed_at=_NOON + timedelta(minutes=42),
        last_failed_at=_NOON + timedelta(minutes=43, seconds=9),
        before_first_action=0,
        example_id=EXAMPLE_ID,
        example_message=_MESSAGE,
        timeline=counts,
    )
    groups = FailureGroups(items=[group], groups=1, executions=3, timeline=counts)
    return groups_answer(FailureOverview(groups=groups, timeline=timeline, wanted=wanted), links)
