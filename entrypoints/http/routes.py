"""One handler for each route: who asks, what for, the use case, its body. Errors pass through."""

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from attrs import frozen
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from automation_retry.domain import AUTOMATION_READ
from automation_retry.entrypoints.http.admission import Admission
from automation_retry.entrypoints.http.api import Api
from automation_retry.entrypoints.http.bodies import EXECUTIONS, Bodies
from automation_retry.entrypoints.http.errors import NotReady
from automation_retry.entrypoints.http.json_response import JsonResponse
from automation_retry.entrypoints.http.paging import paging_of
from automation_retry.entrypoints.http.request_body import discard_body
from automation_retry.entrypoints.http.request_context import context_of

HEALTHZ = "/healthz"
READYZ = "/readyz"

IDEMPOTENCY_KEY = "idempotency-key"
_REPLAYED = {"Idempotent-Replayed": "true"}


class ExactRoute(Route):
    """A route that ends where its path ends; Starlette's `$` lets a line feed (`%0A`) follow."""

    def __init__(
        self, path: str, endpoint: Callable[[Request], Awaitable[Response]], method: str
    ) -> None:
        super().__init__(path, endpoint, methods=[method])
        self.path_regex = re.compile(self.path_regex.pattern.removesuffix("$") + r"\Z")

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = self  # Starlette sets it too, from 1.1 on
        await super().handle(scope, receive, send)


@frozen
class Handlers:
    api: Api
    admit: Admission
    bodies: Bodies

    def routes(self) -> Sequence[Route]:
        return [
            ExactRoute(f"{EXECUTIONS}/{{execution_id}}/retry", self.retry_execution, "POST"),
            ExactRoute(f"{EXECUTIONS}/{{execution_id}}", self.get_execution, "GET"),
            ExactRoute(f"{EXECUTIONS}/{{execution_id}}/attempts", self.list_attempts, "GET"),
            ExactRoute(HEALTHZ, self.healthz, "GET"),
            ExactRoute(READYZ, self.readyz, "GET"),
        ]

    async def retry_execution(self, request: Request) -> Response:
        principal = await self.admit(request)
        await discard_body(request)
        keys = request.headers.getlist(IDEMPOTENCY_KEY)
        retried = await self.api.retry_execution(
            principal,
            request.path_params["execution_id"],
            request_id=context_of(request.scope).request_id,
            idempotency_key=", ".join(keys) if keys else None,
        )
        return JsonResponse(
            self.bodies.retried(retried.execution), headers=_REPLAYED if retried.replayed else None
        )

    async def get_execution(self, request: Request) -> Response:
        principal = await self.admit(request)
        seen = await self.api.get_execution(principal, request.path_params["execution_id"])
        return JsonResponse(self.bodies.seen(seen))

    async def list_attempts(self, request: Request) -> Response:
        principal = await self.admit(request)
        await self.api.authorizer.require(principal, AUTOMATION_READ)
        paging = paging_of(request.query_params)
        page = await self.api.list_failed_attempts(
            principal, request.path_params["execution_id"], page=paging.page, limit=paging.limit
        )
        return JsonResponse(self.bodies.attempts(page))

    async def healthz(self, _: Request) -> Response:
        """The process is alive; the storage is not asked."""
        return JsonResponse({"data": {"status": "ok"}})

    async def readyz(self, _: Request) -> Response:
        problems = await self.api.readiness.problems()
        if problems:
            raise NotReady(problems)
        data: dict[str, Any] = {"status": "ready"}
        if warnings := await self.api.readiness.warnings():
            data["warnings"] = warnings
        return JsonResponse({"data": data})
