import asyncio
from types import TracebackType
from typing import Self

from starlette.requests import Request

from automation_retry.adapters.time_limits import Limit
from automation_retry.entrypoints.http.wire.errors import CallerDisconnected


class Presence:
    """A context that is cancelled, with `CallerDisconnected`, when the caller disconnects.

    Only after `watch` was called: it needs a task, which a request that is answered quickly is
    spared.
    """

    __slots__ = ("_gone", "_request", "_watching")

    def __init__(self, request: Request) -> None:
        """The request's body must have been read before the context is entered."""
        self._request = request
        self._watching: asyncio.Task[None] | None = None
        self._gone = False

    def watch(self, limit: Limit) -> None:
        """Starts watching the connection; a disconnect cancels the task inside `limit`."""
        self._watching = asyncio.create_task(self._cancel_when_gone(limit.task))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._watching is None:
            return
        self._watching.cancel()
        task = asyncio.current_task()
        if self._gone and task is not None:
            task.uncancel()
            if exc_type is asyncio.CancelledError:
                raise CallerDisconnected from None

    async def _cancel_when_gone(self, task: "asyncio.Task[object]") -> None:
        while (await self._request.receive())["type"] != "http.disconnect":
            pass
        self._gone = True
        task.cancel()
