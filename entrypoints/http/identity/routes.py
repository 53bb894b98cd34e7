from collections.abc import Sequence
from typing import Annotated, Final
from uuid import UUID

from attrs import frozen
from starlette.responses import Response

from automation_retry.adapters.wire.converter import CONVERTER
from automation_retry.adapters.wire.json_schema import component_of
from automation_retry.entrypoints.http.api import Api
from automation_retry.entrypoints.http.endpoint import (
    Call,
    Endpoint,
    ProtectedEndpoint,
    Success,
    Tag,
)
from automation_retry.entrypoints.http.wire.json_response import JsonResponse
from automation_retry.entrypoints.http.wire.paging import answer_with
from automation_retry.entrypoints.http.wire.parameters import NoParameters
from automation_retry.entrypoints.http.wire.request_context import context_of

ME: Final = "/api/v1/automation/me"


@frozen(kw_only=True)
class RateLimit:
    limit: Annotated[int, "How many requests may come at once."]
    remaining: Annotated[int, "How many are left now."]
    enforced: Annotated[bool, "Whether those beyond are refused."]


@frozen(kw_only=True)
class Me:
    """The user of a key."""

    tenant: UUID
    user_id: UUID
    username: str | None
    api_key_id: UUID | None
    permissions: Annotated[Sequence[str], "As `resource:action`, sorted."]
    rate_limit: RateLimit


def identity_endpoints(api: Api) -> Sequence[Endpoint]:
    async def me(call: Call) -> Response:
        caller = await api.describe_caller(call.principal)
        principal = caller.principal
        allowance = context_of(call.request.scope).allowance
        assert allowance is not None  # noqa: S101 - of every admitted request
        answer = Me(
            tenant=principal.tenant,
            user_id=principal.user_id,
            username=caller.username,
            api_key_id=principal.api_key_id,
            permissions=sorted(f"{one.resource}:{one.action}" for one in principal.permissions),
            rate_limit=RateLimit(
                limit=allowance.limit,
                remaining=allowance.remaining,
                enforced=api.rate_limiter.enforce,
            ),
        )
        return JsonResponse({"data": CONVERTER.unstructure(answer)})

    return [
        ProtectedEndpoint(
            method="GET",
            path=ME,
            query=NoParameters,
            permission=None,
            operation_id="getMe",
            tag=Tag("Caller", "Who calls, and what it may do."),
            summary="Who the key's user is, and what it may do",
            success=Success(
                meaning="The user of the key.",
                schema=answer_with(component_of(Me)),
                example={"data": _EXAMPLE},
            ),
            handler=me,
        )
    ]


_EXAMPLE: Final = {
    "tenant": "6f1e4bd1-7a5c-4c6b-9d0e-0d8a3f0c2b11",
    "user_id": "0b6f5a9c-3f0d-4a54-8f6e-5a2f8c1d7e90",
    "username": "ada",
    "api_key_id": "c7a0e1d2-95b4-4f38-a1c6-3e8d7b2f4a65",
    "permissions": ["automation:execute", "automation:read"],
    "rate_limit": {"limit": 120, "remaining": 119, "enforced": False},
}
