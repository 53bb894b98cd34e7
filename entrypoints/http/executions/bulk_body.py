"""The body of a bulk retry and of its answer."""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from attrs import frozen

from automation_retry.adapters.wire.converter import CONVERTER
from automation_retry.adapters.wire.json_schema import component_of
from automation_retry.application import BulkRetried, RefusedExecution, RetriedExecution, RetryState
from automation_retry.application.executions.bulk_retry import MAX_IDS
from automation_retry.domain import MAX_REASON
from automation_retry.entrypoints.http.wire.body_values import Ids, Text
from automation_retry.entrypoints.http.wire.paging import answer_with
from automation_retry.entrypoints.http.wire.parameters import Parameters


@frozen(kw_only=True)
class BulkRetryRequest(Parameters):
    """What is to be retried, and why."""

    ids: Annotated[Sequence[UUID], Ids(MAX_IDS), "The executions. Repeated ones are retried once."]
    reason: (
        Annotated[
            str, Text(MAX_REASON), "Why. Kept with each archived run, in its job and in its event."
        ]
        | None
    ) = None


@frozen(kw_only=True)
class RetriedResult:
    execution_id: UUID
    outcome: Literal["retried"] = "retried"
    retry_count: Annotated[int, "As committed: the generation of the run that is asked for."]


@frozen(kw_only=True)
class RefusedResult:
    execution_id: UUID
    outcome: Literal["refused"] = "refused"
    code: Annotated[str, "That of the error which the retry of this execution alone gets."]
    message: str
    details: RetryState | None


@frozen(kw_only=True)
class BulkRetryResult:
    action: Literal["retry"] = "retry"
    execution_ids: Annotated[Sequence[UUID], "Those that were retried."]
    retried_count: Annotated[int, "How many those are."]
    errors: Annotated[Sequence[str], "A sentence for each that was not, after its id."]
    message: str
    results: Annotated[
        Sequence[RetriedResult | RefusedResult],
        "What became of each, in the order in which they were first asked for.",
    ]


BULK_RETRY_ANSWER: Final = answer_with(component_of(BulkRetryResult))


def bulk_retried(answer: BulkRetried) -> dict[str, Any]:
    """The body of the answer; the same for the same results."""
    retried = [one.execution_id for one in answer.retried]
    result = BulkRetryResult(
        execution_ids=retried,
        retried_count=len(retried),
        errors=[f"{one.execution_id}: {one.refusal.message}" for one in answer.refused],
        message=f"Retried {len(retried)} of {len(answer.results)} executions",
        results=[_result(one) for one in answer.results],
    )
    return {"data": CONVERTER.unstructure(result)}


def _result(one: RetriedExecution | RefusedExecution) -> RetriedResult | RefusedResult:
    if isinstance(one, RetriedExecution):
        return RetriedResult(execution_id=one.execution_id, retry_count=one.retry_count)
    return RefusedResult(
        execution_id=one.execution_id,
        code=one.refusal.code,
        message=one.refusal.message,
        details=one.refusal.details,
    )
