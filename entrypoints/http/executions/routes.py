from collections.abc import Sequence

from attrs import frozen
from starlette.requests import Request
from starlette.responses import Response

from automation_retry.domain import AUTOMATION_EXECUTE, AUTOMATION_READ, Execution, Principal
from automation_retry.entrypoints.http.api import Api
from automation_retry.entrypoints.http.endpoint import Endpoint, ProtectedEndpoint
from automation_retry.entrypoints.http.executions.presenter import EXECUTIONS, ExecutionPresenter
from automation_retry.entrypoints.http.wire.json_response import JsonResponse
from automation_retry.entrypoints.http.wire.paging import page_request
from automation_retry.entrypoints.http.wire.request_context import context_of

IDEMPOTENCY_KEY = "idempotency-key"
_REPLAYED = {"Idempotent-Replayed": "true"}
_EXECUTION = f"{EXECUTIONS}/{{execution_id}}"


def execution_endpoints(api: Api) -> Sequence[Endpoint]:
    handlers = _Handlers(api, ExecutionPresenter(api.rule_links, api.root_path))
    return [
        ProtectedEndpoint(
            method="POST",
            path=f"{_EXECUTION}/retry",
            permission=AUTOMATION_EXECUTE,
            handler=handlers.retry,
        ),
        ProtectedEndpoint(
            method="GET", path=_EXECUTION, permission=AUTOMATION_READ, handler=handlers.get
        ),
        ProtectedEndpoint(
            method="GET",
            path=f"{_EXECUTION}/attempts",
            permission=AUTOMATION_READ,
            handler=handlers.attempts,
        ),
    ]


@frozen
class _Handlers:
    api: Api
    presenter: ExecutionPresenter

    async def retry(self, request: Request, principal: Principal) -> Response:
        # Built before the commit, so that a failure here cannot follow one.
        answers: list[Response] = []

        def prepare(execution: Execution) -> None:
            answers.append(JsonResponse(self.presenter.retried(execution)))

        keys = request.headers.getlist(IDEMPOTENCY_KEY)
        retried = await self.api.retry_execution(
            principal,
            request.path_params["execution_id"],
            request_id=context_of(request.scope).request_id,
            idempotency_key=", ".join(keys) if keys else None,
            prepare=prepare,
        )
        if retried.replayed:
            return JsonResponse(self.presenter.retried(retried.execution), headers=_REPLAYED)
        return answers[-1]

    async def get(self, request: Request, principal: Principal) -> Response:
        seen = await self.api.get_execution(principal, request.path_params["execution_id"])
        return JsonResponse(self.presenter.seen(seen))

    async def attempts(self, request: Request, principal: Principal) -> Response:
        wanted = page_request(request.query_params)
        page = await self.api.list_failed_attempts(
            principal, request.path_params["execution_id"], page=wanted.page, limit=wanted.limit
        )
        return JsonResponse(self.presenter.attempts(page))
