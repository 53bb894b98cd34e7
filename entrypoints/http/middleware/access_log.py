"""The request id, the access log, and an answer to unexpected errors."""

import asyncio
import logging
import traceback
from functools import lru_cache
from ipaddress import ip_address
from time import perf_counter
from typing import Any

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars, clear_contextvars

from automation_retry.adapters.log import log
from automation_retry.application import StorageUnavailable
from automation_retry.application.ports import NewId
from automation_retry.domain import is_uuid
from automation_retry.entrypoints.http.wire.error_responses import answer_error, unexpected
from automation_retry.entrypoints.http.wire.request_context import (
    RequestContext,
    open_context,
)

_SERVER_ERROR = 500
_MAX_MESSAGE_LENGTH = 200
_MAX_ADDRESS_LENGTH = 45
"""Of an IPv6 address with an IPv4 address in it."""


class AccessLog:
    """The outermost middleware.

    Each answer carries `X-Request-ID`, each request writes one line `request`, and an error that
    has no row in the table becomes a 500 and a line `unexpected_error`. A request that is cut off
    when the service stops is answered 503: what it wrote may have been committed.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        new_id: NewId,
        quiet: frozenset[str] = frozenset(),
    ) -> None:
        """`quiet` are the routes whose successes are logged at debug."""
        self.app = app
        self.new_id = new_id
        self.quiet = quiet

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = perf_counter()
        context = open_context(scope, self.new_id)
        # A pipelined request runs in the context of the one before it.
        clear_contextvars()
        bind_contextvars(request_id=context.request_id)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                context.status = message["status"]
                message["headers"] = [*message["headers"], *context.headers]
            await send(message)

        try:
            await self.app(scope, receive, send_with_headers)
        except asyncio.CancelledError:
            if context.status is not None:
                raise
            cut_off = StorageUnavailable("the service stopped before the answer")
            answer = await answer_error(Request(scope), cut_off)
            await answer(scope, receive, send_with_headers)
        except Exception as error:
            # Renders the traceback itself: a renderer of `exc_info` may show locals.
            log(
                logging.ERROR,
                "unexpected_error",
                request_id=context.request_id,
                traceback=frames(error),
            )
            if context.status is not None:
                raise
            await unexpected(error)(scope, receive, send_with_headers)
        finally:
            self._log_request(scope, context, perf_counter() - began)

    def _log_request(self, scope: Scope, context: RequestContext, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", None)
        fields: dict[str, Any] = {
            "method": scope["method"],
            "route": route,
            "status": context.status,
            "duration_ms": round(seconds * 1000, 3),
            "client": _address(client[0]) if (client := scope.get("client")) else None,
            "request_id": context.request_id,
            **context.who(),
            **context.logged,
        }
        execution_id = scope.get("path_params", {}).get("execution_id", "")
        if is_uuid(execution_id):
            fields["execution_id"] = execution_id.lower()
        if context.status is None or context.status >= _SERVER_ERROR:
            level = logging.WARNING
        else:
            level = logging.DEBUG if route in self.quiet else logging.INFO
        log(level, "request", **fields)


def _address(client: str) -> str | None:
    """None for what a proxy forwarded and is no address; any client can send that."""
    if len(client) > _MAX_ADDRESS_LENGTH or "%" in client:  # a scope may be any text
        return None
    return _checked_address(client)


@lru_cache(maxsize=4096)
def _checked_address(client: str) -> str | None:
    try:
        return str(ip_address(client))
    except ValueError:
        return None


def frames(error: BaseException) -> str:
    """Where an error and its causes were raised, without the values of any local.

    Only the first line of each message, shortened: a database appends whole rows to its own.
    """
    parts: list[str] = []
    seen: set[int] = set()
    pending: list[BaseException | None] = [error]
    while pending:
        one = pending.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        first_line = next(iter(str(one).splitlines()), "")[:_MAX_MESSAGE_LENGTH]
        name = f"{type(one).__module__}.{type(one).__qualname__}"
        parts.append(f"{name}: {first_line}\n{''.join(traceback.format_tb(one.__traceback__))}")
        pending.append(one.__cause__ or (None if one.__suppress_context__ else one.__context__))
        if isinstance(one, BaseExceptionGroup):
            pending.extend(one.exceptions)
    return "\nbecause of ".join(parts)
