"""The rows of the route table. A row without a permission is public."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

from attrs import field, frozen
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from automation_retry.domain import Permission, Principal
from automation_retry.entrypoints.http.middleware.admission import Admission

PublicHandler = Callable[[Request], Awaitable[Response]]
ProtectedHandler = Callable[[Request, Principal], Awaitable[Response]]


@frozen(kw_only=True)
class PublicEndpoint:
    """A route that needs no API key. Its successes are logged at debug."""

    method: str
    path: str
    permission: None = field(default=None, init=False)
    handler: PublicHandler

    def route(self, _: Admission) -> Route:
        return ExactRoute(self.path, self.handler, self.method)


@frozen(kw_only=True)
class ProtectedEndpoint:
    """A route for principals with `permission`; its handler runs only after `Admission`."""

    method: str
    path: str
    permission: Permission
    handler: ProtectedHandler

    def route(self, admission: Admission) -> Route:
        async def admitted(request: Request) -> Response:
            return await self.handler(request, await admission.admit(request, self.permission))

        return ExactRoute(self.path, admitted, self.method)


Endpoint = PublicEndpoint | ProtectedEndpoint


class ExactRoute(Route):
    """A route that ends where its path ends: Starlette's `$` also matches before a line feed."""

    def __init__(self, path: str, endpoint: Callable[..., Any], method: str) -> None:
        super().__init__(path, endpoint, methods=[method])
        self.path_regex = re.compile(self.path_regex.pattern.removesuffix("$") + r"\Z")

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = self  # the access log names it; Starlette sets it only from 1.1 on
        await super().handle(scope, receive, send)
