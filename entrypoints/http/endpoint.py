"""The rows of the route table. A row without a permission is public."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

from attrs import field, frozen
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from automation_retry.adapters.time_limits import Limit
from automation_retry.domain import Permission, Principal
from automation_retry.entrypoints.budget import RequestTime
from automation_retry.entrypoints.http.middleware.admission import Admission
from automation_retry.entrypoints.http.middleware.presence import Presence
from automation_retry.entrypoints.http.middleware.request_body import discard_body, has_body

_WATCHED_AFTER_S = 0.5
"""A request that takes longer is cancelled when its caller disconnects."""


@frozen(kw_only=True)
class Rules:
    """Admission and time budget, which apply to all routes."""

    admission: Admission
    time: RequestTime
    body_within_s: float
    """How long the caller may take to send a body."""

    def until(self, deadline: float, presence: Presence) -> Limit:
        """A context that is cancelled at the deadline, and detects a disconnect when it is slow."""
        watched_at = deadline - self.time.seconds + _WATCHED_AFTER_S
        return self.time.until(deadline, slow_at=watched_at, on_slow=presence.watch)


PublicHandler = Callable[[Request], Awaitable[Response]]
ProtectedHandler = Callable[[Request, Principal], Awaitable[Response]]


@frozen(kw_only=True)
class PublicEndpoint:
    """A route that needs no API key. Its successes are logged at debug."""

    method: str
    path: str
    permission: None = field(default=None, init=False)
    handler: PublicHandler

    def route(self, rules: Rules) -> Route:
        async def bounded(request: Request) -> Response:
            presence = Presence(request)
            with rules.until(rules.time.deadline(), presence), presence:
                return await self.handler(request)

        return ExactRoute(self.path, bounded, self.method)


@frozen(kw_only=True)
class ProtectedEndpoint:
    """A route for principals with `permission`; its handler runs only after `Admission`.

    In between, the body of a POST is read and discarded.
    """

    method: str
    path: str
    permission: Permission
    handler: ProtectedHandler

    def route(self, rules: Rules) -> Route:
        async def admitted(request: Request) -> Response:
            deadline = rules.time.deadline()
            presence = Presence(request)
            admit = rules.admission.admit
            if self.method == "POST" and has_body(request):
                with rules.time.until(deadline):
                    principal = await admit(request, self.permission)
                loop = asyncio.get_running_loop()
                began = loop.time()
                await discard_body(request, began + rules.body_within_s)
                deadline += loop.time() - began  # the caller's time, not the service's
                with rules.until(deadline, presence), presence:
                    return await self.handler(request, principal)
            with rules.until(deadline, presence), presence:
                return await self.handler(request, await admit(request, self.permission))

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
