from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, Final

import orjson
from attrs import frozen
from starlette.responses import Response

from automation_retry.application import (
    BulkRetried,
    ExecutionNotFound,
    ExecutionSeen,
    IdempotencyKeyReused,
    InvalidIdempotencyKey,
    QueryTooBroad,
    RequestInProgress,
    RetryConflict,
    RetryNotStored,
    StorageFailed,
)
from automation_retry.domain import (
    AUTOMATION_EXECUTE,
    AUTOMATION_READ,
    Execution,
    ExecutionNotFailed,
    InvalidExecutionId,
    UnreadableExecution,
)
from automation_retry.entrypoints.http.api import Api
from automation_retry.entrypoints.http.endpoint import (
    Call,
    Endpoint,
    ProtectedEndpoint,
    Success,
    Tag,
)
from automation_retry.entrypoints.http.executions.bulk_body import (
    BULK_RETRY_ANSWER,
    BulkRetryRequest,
    bulk_retried,
)
from automation_retry.entrypoints.http.executions.examples import (
    ATTEMPTS,
    BULK_RETRIED,
    FAILED,
    LISTED,
    LISTED_WANTED,
    RETRY,
)
from automation_retry.entrypoints.http.executions.fields import (
    EXECUTION_ANSWER,
    FAILED_ATTEMPT,
    LISTED_EXECUTION,
)
from automation_retry.entrypoints.http.executions.listing import ExecutionQuery, list_answer
from automation_retry.entrypoints.http.executions.presenter import ExecutionPresenter
from automation_retry.entrypoints.http.wire.error_table import EXAMPLE_ID, INTERNAL
from automation_retry.entrypoints.http.wire.filters import META
from automation_retry.entrypoints.http.wire.headers import (
    IDEMPOTENCY_KEY,
    REPLAYED,
    UUID_TEXT,
    Parameter,
)
from automation_retry.entrypoints.http.wire.json_response import JsonResponse
from automation_retry.entrypoints.http.wire.links import EXECUTIONS, Links
from automation_retry.entrypoints.http.wire.paging import PageQuery, list_of, page_of
from automation_retry.entrypoints.http.wire.parameters import NoParameters
from automation_retry.entrypoints.http.wire.request_context import context_of

_EXECUTION: Final = f"{EXECUTIONS}/{{execution_id}}"
_EXECUTION_ID: Final = Parameter(
    "execution_id",
    "8-4-4-4-12 hexadecimal digits, in any case.",
    UUID_TEXT,
    str(EXAMPLE_ID),
)
_TAG: Final = Tag("Executions", "Runs of automation rules, and their retries.")
_LOGGED: Final = 3
"""The log has the reasons of that many."""
_NEXT: Final = {"execution_id": "$response.body#/data/execution_id"}


def execution_endpoints(api: Api) -> Sequence[Endpoint]:
    links = Links(api.rule_links, api.root_path)
    presenter = ExecutionPresenter(links)
    handlers = _Handlers(api, presenter, links)
    return [
        ProtectedEndpoint(
            method="GET",
            path=EXECUTIONS,
            query=ExecutionQuery,
            permission=AUTOMATION_READ,
            operation_id="listExecutions",
            tag=_TAG,
            summary="List executions",
            description="In pages, or with a cursor, which walks every execution once while others "
            "appear or vanish. An answer has 8 MiB at most: beyond it payloads and texts are null, "
            "and `truncated` names them.",
            success=Success(
                meaning="A part of the list.",
                schema=list_of(LISTED_EXECUTION, meta=META),
                example=orjson.loads(list_answer(LISTED, LISTED_WANTED, ExecutionQuery(), links)),
            ),
            errors=[QueryTooBroad],
            handler=handlers.list,
        ),
        ProtectedEndpoint(
            method="POST",
            path=f"{_EXECUTION}/retry",
            path_parameters=[_EXECUTION_ID],
            headers=[IDEMPOTENCY_KEY],
            permission=AUTOMATION_EXECUTE,
            operation_id="retryExecution",
            tag=_TAG,
            summary="Retry a failed execution",
            description="Resets the execution to `pending`, archives the failed run, queues a job "
            "for the automation engine and publishes an event: all of it or nothing. A body is "
            "ignored.",
            success=Success(
                meaning="The execution as committed.",
                schema=EXECUTION_ANSWER,
                example=orjson.loads(orjson.dumps(presenter.retried(RETRY.execution))),
                headers=[REPLAYED],
                next_steps={"getExecution": _NEXT, "listFailedAttempts": _NEXT},
            ),
            errors=[
                ExecutionNotFailed,
                InvalidExecutionId,
                InvalidIdempotencyKey,
                IdempotencyKeyReused,
                ExecutionNotFound,
                RetryConflict,
                UnreadableExecution,
                RetryNotStored,
                StorageFailed,
            ],
            handler=handlers.retry,
        ),
        ProtectedEndpoint(
            method="POST",
            path=f"{EXECUTIONS}/bulk-retry",
            headers=[IDEMPOTENCY_KEY],
            query=NoParameters,
            body=BulkRetryRequest,
            body_example={"ids": [str(EXAMPLE_ID)], "reason": "SMTP is back"},
            permission=AUTOMATION_EXECUTE,
            operation_id="bulkRetryExecutions",
            tag=_TAG,
            summary="Retry up to 100 failed executions",
            description="Each as its own retry would be, committed together; one that cannot be "
            "retried holds up no other. An id that is no UUID is 400, and then nothing is done.",
            success=Success(
                meaning="What became of each, even if none was retried.",
                schema=BULK_RETRY_ANSWER,
                example=orjson.loads(orjson.dumps(bulk_retried(BULK_RETRIED))),
                headers=[REPLAYED],
            ),
            errors=[InvalidIdempotencyKey, IdempotencyKeyReused, RequestInProgress],
            handler=handlers.bulk_retry,
        ),
        ProtectedEndpoint(
            method="GET",
            path=_EXECUTION,
            path_parameters=[_EXECUTION_ID],
            permission=AUTOMATION_READ,
            operation_id="getExecution",
            tag=_TAG,
            summary="Read an execution",
            success=Success(
                meaning="The execution as last committed.",
                schema=EXECUTION_ANSWER,
                example=orjson.loads(
                    orjson.dumps(presenter.seen(ExecutionSeen(execution=FAILED, may_retry=True)))
                ),
                next_steps={"retryExecution": _NEXT, "listFailedAttempts": _NEXT},
            ),
            errors=[InvalidExecutionId, ExecutionNotFound, UnreadableExecution],
            handler=handlers.get,
        ),
        ProtectedEndpoint(
            method="GET",
            path=f"{_EXECUTION}/attempts",
            path_parameters=[_EXECUTION_ID],
            query=PageQuery,
            permission=AUTOMATION_READ,
            operation_id="listFailedAttempts",
            tag=_TAG,
            summary="List the failed runs that retries archived",
            success=Success(
                meaning="A page of them, newest first.",
                schema=page_of(FAILED_ATTEMPT),
                example=presenter.attempts(ATTEMPTS),
            ),
            errors=[InvalidExecutionId, ExecutionNotFound],
            handler=handlers.attempts,
        ),
    ]


@frozen
class _Handlers:
    api: Api
    presenter: ExecutionPresenter
    links: Links

    async def list(self, call: Call) -> Response:
        query: ExecutionQuery = call.query
        wanted = query.wanted
        found = await self.api.list_executions(
            call.principal,
            wanted,
            sorting=query.sorting,
            limit=query.limit,
            page=query.page,
            cursor=query.cursor,
            fields=query.fields,
        )
        return JsonResponse(orjson.Fragment(list_answer(found, wanted, query, self.links)))

    async def retry(self, call: Call) -> Response:
        # Built before the commit, so that a failure here cannot follow one.
        answers: list[Response] = []

        def prepare(execution: Execution) -> None:
            answers.append(JsonResponse(self.presenter.retried(execution)))

        retried = await self.api.retry_execution(
            call.principal,
            call.request.path_params["execution_id"],
            request_id=context_of(call.request.scope).request_id,
            idempotency_key=_idempotency_key(call),
            prepare=prepare,
        )
        if retried.replayed:
            return JsonResponse(
                self.presenter.retried(retried.execution), headers={REPLAYED.name: "true"}
            )
        return answers[-1]

    async def bulk_retry(self, call: Call) -> Response:
        context = context_of(call.request.scope)
        body: BulkRetryRequest = call.body
        answer = await self.api.bulk_retry(
            call.principal,
            body.ids,
            reason=body.reason,
            request_id=context.request_id,
            idempotency_key=_idempotency_key(call),
        )
        context.logged.update(_log_fields(answer))
        return JsonResponse(
            bulk_retried(answer), headers={REPLAYED.name: "true"} if answer.replayed else None
        )

    async def get(self, call: Call) -> Response:
        seen = await self.api.get_execution(
            call.principal, call.request.path_params["execution_id"]
        )
        return JsonResponse(self.presenter.seen(seen))

    async def attempts(self, call: Call) -> Response:
        query: PageQuery = call.query
        page = await self.api.list_failed_attempts(
            call.principal,
            call.request.path_params["execution_id"],
            page=query.page,
            limit=query.limit,
        )
        return JsonResponse(self.presenter.attempts(page))


def _idempotency_key(call: Call) -> str | None:
    """Raises InvalidIdempotencyKey for a blank one."""
    keys = call.request.headers.getlist(IDEMPOTENCY_KEY.name)
    if "" in keys:
        raise InvalidIdempotencyKey("")
    return ", ".join(keys) if keys else None


def _log_fields(answer: BulkRetried) -> Mapping[str, Any]:
    """How many there were, and why the service itself failed for some."""
    reasons = dict.fromkeys(
        str(one.error) for one in answer.refused if one.refusal.code == INTERNAL.code and one.error
    )
    counts = {"retried": len(answer.retried), "refused": len(answer.refused)}
    return {**counts, "reason": "; ".join(islice(reasons, _LOGGED))} if reasons else counts
