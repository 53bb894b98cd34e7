"""The rows of the route table. What a row says is enforced and documented; handlers do the rest."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, ClassVar

from attrs import field, frozen
from attrs.validators import optional
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Receive, Scope, Send

from automation_retry.adapters.time_limits import Limit
from automation_retry.adapters.wire.json_schema import Component, Schema
from automation_retry.application import InvalidParameters, StorageUnavailable
from automation_retry.domain import Permission, PermissionDenied, Principal
from automation_retry.entrypoints.budget import RequestTime
from automation_retry.entrypoints.http.middleware.admission import ADMISSION_ERRORS, Admission
from automation_retry.entrypoints.http.middleware.presence import Presence
from automation_retry.entrypoints.http.middleware.request_body import (
    BODY_ERRORS,
    has_body,
    receive_body,
)
from automation_retry.entrypoints.http.wire.errors import (
    SERVER_ERRORS,
    PathNotFound,
)
from automation_retry.entrypoints.http.wire.headers import REQUEST_ID, TENANT, Parameter
from automation_retry.entrypoints.http.wire.parameters import read_body, read_query, require_checks

_WATCHED_AFTER_S = 0.5
"""A request that takes longer is cancelled when its caller disconnects."""


@frozen(kw_only=True)
class Rules:
    """Admission and time budget, which apply to all routes."""

    admission: Admission
    time: RequestTime
    body_within_s: float
    """How long the caller may take to send a body."""
    root_path: str = ""
    """Requests may come with it, or without it where the proxy removes it."""
    fixed_paths: frozenset[str] = frozenset()
    """Those of rows without parameters: a row with parameters does not take them for a value."""

    def until(self, deadline: float, presence: Presence) -> Limit:
        """A context that is cancelled at the deadline, and detects a disconnect when it is slow."""
        watched_at = deadline - self.time.seconds + _WATCHED_AFTER_S
        return self.time.until(deadline, slow_at=watched_at, on_slow=presence.watch)


@frozen(kw_only=True)
class Call:
    """An admitted request, with what it asks for as its row declares it."""

    request: Request
    principal: Principal
    query: Any = None
    body: Any = None


@frozen(kw_only=True)
class Success:
    """The answer of a route that does what it is asked for."""

    status: int = 200
    meaning: str
    media_type: str = "application/json"
    schema: Schema | Component = field(factory=dict)
    example: Any = None
    headers: Sequence[Parameter] = ()
    next_steps: Mapping[str, Mapping[str, str]] = field(factory=dict)
    """Operations that take a value of this answer: parameters as runtime expressions of OpenAPI."""


@frozen
class Tag:
    """What routes have in common, for the documentation."""

    name: str
    meaning: str


@frozen(kw_only=True)
class _Row:
    method: str
    path: str
    operation_id: str
    tag: Tag
    summary: str
    description: str = ""
    success: Success
    errors: Sequence[type[Exception]] = ()
    """Those of its own, besides the ones that every such route may answer."""
    headers: Sequence[Parameter] = ()
    """Those that the request may have."""
    path_parameters: Sequence[Parameter] = ()
    documented: bool = True
    """False for the files of a page."""

    @property
    def path_errors(self) -> Sequence[type[Exception]]:
        """A part of the path may have a slash, escaped, which makes it another path."""
        return (PathNotFound,) if self.path_parameters else ()


def _checks(_instance: object, _attribute: object, cls: type[Any]) -> None:
    require_checks(cls)


PublicHandler = Callable[[Request], Awaitable[Response]]
Handler = Callable[[Call], Awaitable[Response]]


@frozen(kw_only=True)
class PublicEndpoint(_Row):
    """A route that needs no API key. Its successes are logged at debug."""

    protected: ClassVar = False
    permission: None = field(default=None, init=False)
    query: None = field(default=None, init=False)
    body: None = field(default=None, init=False)
    handler: PublicHandler

    @property
    def all_errors(self) -> Sequence[type[Exception]]:
        return (*self.errors, *self.path_errors, StorageUnavailable, *SERVER_ERRORS)

    @property
    def all_headers(self) -> Sequence[Parameter]:
        return (*self.headers, REQUEST_ID)

    def route(self, rules: Rules) -> Route:
        async def bounded(request: Request) -> Response:
            presence = Presence(request)
            with rules.until(rules.time.deadline(), presence), presence:
                return await self.handler(request)

        return ExactRoute(self.path, bounded, self.method, rules)


@frozen(kw_only=True)
class ProtectedEndpoint(_Row):
    """A route for principals with `permission`, or for all; its handler runs after `Admission`.

    In between a body is read, but of a GET; then query and body are checked.
    """

    protected: ClassVar = True
    permission: Permission | None
    query: type[Any] | None = field(default=None, validator=optional(_checks))
    """An attrs class of `wire.parameters`; None if the query does not matter, as in AlgaPSA."""
    body: type[Any] | None = field(default=None, validator=optional(_checks))
    """The same of the body."""
    body_example: Any = None
    handler: Handler

    @property
    def takes_body(self) -> bool:
        """Whether a body is read, if only to be discarded."""
        return self.method != "GET"

    @property
    def all_errors(self) -> Sequence[type[Exception]]:
        invalid = () if self.query is self.body is None else (InvalidParameters,)
        return (
            *self.errors,
            *self.path_errors,
            *invalid,
            *ADMISSION_ERRORS,
            *(() if self.permission is None else (PermissionDenied,)),
            *(BODY_ERRORS if self.takes_body else ()),
            StorageUnavailable,
            *SERVER_ERRORS,
        )

    @property
    def all_headers(self) -> Sequence[Parameter]:
        return (*self.headers, TENANT, REQUEST_ID)

    def route(self, rules: Rules) -> Route:
        async def admitted(request: Request) -> Response:
            deadline = rules.time.deadline()
            presence = Presence(request)
            admit = rules.admission.admit
            if self.takes_body and (self.body is not None or has_body(request)):
                with rules.time.until(deadline):
                    principal = await admit(request, self.permission)
                loop = asyncio.get_running_loop()
                began = loop.time()
                body = await receive_body(
                    request, began + rules.body_within_s, keep=self.body is not None
                )
                deadline += loop.time() - began  # the caller's time, not the service's
                with rules.until(deadline, presence), presence:
                    return await self.handler(self._call(request, principal, body))
            with rules.until(deadline, presence), presence:
                principal = await admit(request, self.permission)
                return await self.handler(self._call(request, principal, b""))

        return ExactRoute(self.path, admitted, self.method, rules)

    def _call(self, request: Request, principal: Principal, body: bytes) -> Call:
        """Raises InvalidParameters, of the query before the body."""
        query = None if self.query is None else read_query(request.query_params, self.query)
        content = None if self.body is None else read_body(body, self.body)
        return Call(request=request, principal=principal, query=query, body=content)


Endpoint = PublicEndpoint | ProtectedEndpoint


class ExactRoute(Route):
    """A route that ends where its path ends: Starlette's `$` also matches before a line feed.

    A slash that is escaped as `%2F` separates nothing, so no route has a path with one.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], method: str, rules: Rules) -> None:
        super().__init__(path, endpoint, methods=[method])
        self.path_regex = re.compile(self.path_regex.pattern.removesuffix("$") + r"\Z")
        self._root_path = rules.root_path
        self._others = rules.fixed_paths - {path}

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """As it is, and else without the prefix: which may itself begin like a route, as `/api`."""
        if b"%2f" in scope.get("raw_path", b"").lower():
            return Match.NONE, {}
        found = self._matches(scope)
        prefix, path = self._root_path, scope["path"]
        if found[0] is Match.NONE and prefix and path.startswith(f"{prefix}/"):
            return self._matches({**scope, "path": path.removeprefix(prefix)})
        return found

    def _matches(self, scope: Scope) -> tuple[Match, Scope]:
        return (Match.NONE, {}) if scope["path"] in self._others else super().matches(scope)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = self  # the access log names it; Starlette sets it only from 1.1 on
        await super().handle(scope, receive, send)
