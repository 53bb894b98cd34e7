from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from attrs import frozen
from starlette.requests import Request
from starlette.responses import Response

from automation_retry.application import ReadinessReport
from automation_retry.entrypoints.http.api import Api
from automation_retry.entrypoints.http.endpoint import Endpoint, PublicEndpoint
from automation_retry.entrypoints.http.wire.errors import NotReady
from automation_retry.entrypoints.http.wire.json_response import JsonResponse


def operation_endpoints(api: Api) -> Sequence[Endpoint]:
    handlers = _Handlers(api.readiness)
    return [
        PublicEndpoint(method="GET", path="/healthz", handler=handlers.healthz),
        PublicEndpoint(method="GET", path="/readyz", handler=handlers.readyz),
    ]


@frozen
class _Handlers:
    readiness: Callable[[], Awaitable[ReadinessReport]]

    async def healthz(self, _: Request) -> Response:
        """The process lives; the storage is not asked."""
        return JsonResponse({"data": {"status": "ok"}})

    async def readyz(self, _: Request) -> Response:
        """Whether retries should be sent to this process."""
        report = await self.readiness()
        if report.problems:
            raise NotReady(report.problems)
        data: dict[str, Any] = {"status": "ready"}
        if report.warnings:
            data["warnings"] = report.warnings
        return JsonResponse({"data": data})
