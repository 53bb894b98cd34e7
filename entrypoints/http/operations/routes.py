from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, Final, Literal

from attrs import field, frozen
from starlette.requests import Request
from starlette.responses import Response

from automation_retry.adapters.wire.json_schema import component_of
from automation_retry.application import ReadinessReport
from automation_retry.entrypoints.http.api import Api
from automation_retry.entrypoints.http.endpoint import Endpoint, PublicEndpoint, Success, Tag
from automation_retry.entrypoints.http.wire.errors import NotReady
from automation_retry.entrypoints.http.wire.json_response import JsonResponse
from automation_retry.entrypoints.http.wire.paging import answer_with

_TAG: Final = Tag("Operations", "For load balancers and monitoring.")


@frozen
class Health:
    status: Literal["ok"]


@frozen
class ReadyState:
    status: Literal["ready"]
    warnings: Annotated[
        Sequence[str], "What an operator should look at; absent where there is nothing."
    ] = field(factory=list)


def operation_endpoints(api: Api) -> Sequence[Endpoint]:
    handlers = _Handlers(api.readiness)
    return [
        PublicEndpoint(
            method="GET",
            path="/healthz",
            operation_id="getHealth",
            tag=_TAG,
            summary="Whether the process is alive",
            description="The database is not asked.",
            success=Success(
                meaning="It is alive.",
                schema=answer_with(component_of(Health)),
                example={"data": {"status": "ok"}},
            ),
            handler=handlers.healthz,
        ),
        PublicEndpoint(
            method="GET",
            path="/readyz",
            operation_id="getReadiness",
            tag=_TAG,
            summary="Whether retries can be accepted now",
            description="The database must be reachable, writable, migrated and durable, and its "
            "role must have the rights that a retry needs.",
            success=Success(
                meaning="They can, with warnings about the delivery.",
                schema=answer_with(component_of(ReadyState)),
                example={"data": {"status": "ready"}},
            ),
            errors=[NotReady],
            handler=handlers.readyz,
        ),
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
