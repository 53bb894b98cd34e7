"""A row with a query and a body, such as no route has yet, and its handler, which tells both."""

from typing import Annotated

from attrs import asdict, field, frozen
from starlette.responses import Response

from automation_retry.domain import AUTOMATION_EXECUTE
from automation_retry.entrypoints.http.endpoint import Call, ProtectedEndpoint, Success, Tag
from automation_retry.entrypoints.http.wire.json_response import JsonResponse
from automation_retry.entrypoints.http.wire.paging import PageQuery
from automation_retry.entrypoints.http.wire.parameters import Parameters
from automation_retry.entrypoints.http.wire.values import OrNull, Whole


@frozen(kw_only=True)
class Bounds(Parameters):
    lowest: Annotated[int, Whole(1, 10), "The first."] | None = None


@frozen(kw_only=True)
class Order(Parameters):
    amount: Annotated[int, Whole(1, 10), "How many."]
    rate: Annotated[int | None, OrNull(Whole(1, 10)), "How fast; null for no limit."] = 2
    bounds: Bounds | None = None
    total_count: Annotated[int, Whole(1, 10), "Of all."] = field(default=1, alias="totalCount")


@frozen(kw_only=True)
class StrictOrder(Parameters):
    bounds: Bounds
    rate: Annotated[int | None, OrNull(Whole(1, 10)), "How fast; null for no limit."]


async def _echo(call: Call) -> Response:
    return JsonResponse({"query": asdict(call.query), "body": asdict(call.body)})


ORDER = ProtectedEndpoint(
    method="POST",
    path="/orders",
    operation_id="order",
    tag=Tag("Orders", ""),
    summary="Order",
    permission=AUTOMATION_EXECUTE,
    query=PageQuery,
    body=Order,
    body_example={"amount": 3},
    success=Success(meaning="What was read.", schema={"type": "object"}),
    handler=_echo,
)
