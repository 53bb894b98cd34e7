"""What is known about a request while it is answered."""

import re
from collections.abc import Callable
from typing import Any
from uuid import UUID

from attrs import Factory, define, frozen
from starlette.types import Scope

from automation_retry.domain import Principal

_KEY = "automation_retry.request"
_VALID_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")


@frozen
class Allowance:
    """What the rate limit leaves a caller after a request."""

    limit: int
    remaining: int
    retry_after_ms: int = 0
    """How long until the next token; 0 when this request got one."""
    first_refusal: bool = False
    """Whether the request before got a token; only the first refusal is logged."""


@define
class RequestContext:
    """Collected while the request is handled; used for the answer's headers and the log line."""

    request_id: str
    principal: Principal | None = None
    allowance: Allowance | None = None
    headers: list[tuple[bytes, bytes]] = Factory(list)
    """Sent with every answer, errors included."""
    logged: dict[str, Any] = Factory(dict)
    """Added to the request's log line."""
    status: int | None = None
    """None until the answer has begun."""

    def who(self) -> dict[str, str]:
        """The principal as fields of a log line; none before it is known."""
        if self.principal is None:
            return {}
        who = {"tenant": str(self.principal.tenant), "user_id": str(self.principal.user_id)}
        if self.principal.api_key_id is not None:
            who["api_key_id"] = str(self.principal.api_key_id)
        return who


def open_context(scope: Scope, new_id: Callable[[], UUID]) -> RequestContext:
    context = RequestContext(request_id_of(scope) or str(new_id()))
    context.headers.append((b"x-request-id", context.request_id.encode()))
    scope[_KEY] = context
    return context


def context_of(scope: Scope) -> RequestContext:
    context: RequestContext = scope[_KEY]
    return context


def header_values(scope: Scope, name: bytes) -> list[bytes]:
    """Every value of a header, as sent; `name` in lower case, as ASGI has it."""
    return [value for key, value in scope["headers"] if key == name]


def request_id_of(scope: Scope) -> str | None:
    """The caller's request id, if it sent a valid one: 1 to 128 letters, digits and `._:/+=@-`.

    Other text could forge lines in logs and break consumers of messages.
    """
    match header_values(scope, b"x-request-id"):
        case [value] if _VALID_REQUEST_ID.fullmatch(value):
            return value.decode()
        case _:
            return None
