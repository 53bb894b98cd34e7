from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final
from uuid import UUID

import attrs
from attrs import frozen

from automation_retry.adapters.memory.selection import (
    failed_at,
    group_of,
    in_order,
    matching,
    position_of,
)
from automation_retry.adapters.memory.store import MemoryStore
from automation_retry.application import ExecutionFilter, Sorting, Timeline
from automation_retry.application.ports import (
    MAX_COUNTED,
    MAX_READ_BYTES,
    MAX_STATUS_BYTES,
    ExecutionQueries,
    FailureGroup,
    FailureGroups,
    ListedExecution,
    ListedExecutions,
    Window,
)
from automation_retry.domain import PAYLOADS, Execution, Json, failure_pattern

_SIZED: Final = ("error_message", "error_stack", *PAYLOADS)
"""Payloads and texts, in the order in which they take up room."""
_COPIED: Final = {one.name for one in attrs.fields(ListedExecution)} - {*_SIZED, "truncated"}
_EXAMPLE: Final = 1_000
"""Characters of an example's message."""


@frozen
class MemoryExecutionQueries(ExecutionQueries):
    store: MemoryStore

    async def executions(
        self,
        tenant: UUID,
        wanted: ExecutionFilter,
        sorting: Sorting,
        window: Window,
        fields: Collection[str],
    ) -> ListedExecutions:
        found = matching(self.store.executions(tenant), wanted)
        rest = in_order(found, sorting, window.after)[window.offset :]
        shown = rest[: window.limit]
        return ListedExecutions(
            items=_listed(shown, fields),
            next=position_of(shown[-1], sorting) if shown and len(rest) > len(shown) else None,
            total=min(len(found), MAX_COUNTED + 1) if window.counted else None,
        )

    async def failure_groups(
        self, tenant: UUID, wanted: ExecutionFilter, timeline: Timeline, limit: int
    ) -> FailureGroups:
        failures = matching(self.store.executions(tenant), wanted)
        members: dict[str, list[Execution]] = defaultdict(list)
        for one in failures:
            members[group_of(one.automation_rule_id, one.error_message)].append(one)
        groups = [_group(name, found, timeline) for name, found in sorted(members.items())]
        groups.sort(key=lambda group: (group.count, group.last_failed_at), reverse=True)
        return FailureGroups(
            items=groups[:limit],
            groups=len(groups),
            executions=len(failures),
            timeline=_counts(failures, timeline),
        )


def _listed(executions: Iterable[Execution], fields: Collection[str]) -> Sequence[ListedExecution]:
    """Those that are read; texts and payloads of the first ones, as long as they fit."""
    left = MAX_READ_BYTES
    listed = []
    for one in executions:
        sized = {
            name: value
            for name in _SIZED
            if name in fields and (value := getattr(one, name)) is not None
        }
        sizes = {name: _size(value) for name, value in sized.items()}
        left -= sum(sizes.values())
        too_large = {name for name, size in sizes.items() if size and left < 0}
        unreadable = one.unreadable
        if _size(one.status.value) > MAX_STATUS_BYTES:
            unreadable |= {"status"}
        copied = {name: getattr(one, name) for name in _COPIED if name not in unreadable}
        copied["unreadable"] = unreadable
        shown = {name: value for name, value in sized.items() if name not in too_large}
        truncated = one.truncated.intersection(fields) | too_large
        listed.append(ListedExecution(**copied | shown, truncated=truncated))
    return listed


def _size(value: str | Json) -> int:
    text = value if isinstance(value, str) else value.text
    return len(text.encode(errors="surrogatepass"))


def _group(name: str, members: Sequence[Execution], timeline: Timeline) -> FailureGroup:
    first, latest = min(members, key=_failure), max(members, key=_failure)
    return FailureGroup(
        failure_group_id=name,
        automation_rule_id=latest.automation_rule_id,
        pattern=failure_pattern(latest.error_message),
        count=len(members),
        first_failed_at=_failure(first)[0],
        last_failed_at=_failure(latest)[0],
        before_first_action=sum(one.actions_successful == 0 for one in members),
        example_id=latest.execution_id,
        example_message=latest.error_message and latest.error_message[:_EXAMPLE],
        timeline=_counts(members, timeline),
    )


def _failure(execution: Execution) -> tuple[Any, int]:
    """Its place among the failures of its group; those that match have a time of failure."""
    return failed_at(execution), execution.execution_id.int


def _counts(failures: Iterable[Execution], timeline: Timeline) -> Sequence[int]:
    counts = [0] * timeline.buckets
    for one in failures:
        counts[timeline.bucket_of(_failure(one)[0])] += 1
    return counts
