"""Where a service process kills itself: named points around the real adapters, passed through.

The wrappers add nothing else; what they do not name goes straight to what they wrap.
"""

import os
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from enum import Enum
from typing import Any, LiteralString
from uuid import UUID

from attrs import define, field, frozen

from automation_retry.adapters.postgres import Database, statements
from automation_retry.application import ExecutionJob, MessageKind, RetriedEvent
from tests.crash.pass_through import PassThrough


class Point(Enum):
    """A moment in the life of a retry at which its process may die."""

    AFTER_COMMIT = "after the commit, before anything else"
    AFTER_CLAIM = "after claim"
    AFTER_PUBLISH = "after publish, acknowledged"
    BEFORE_DELETE = "before delete"
    AFTER_DELETE = "after delete, before commit"


RELAY_POINTS = tuple(point for point in Point if point is not Point.AFTER_COMMIT)


@frozen
class Death:
    """Dies at the `nth` time that a point is reached; claims of nothing do not count."""

    point: Point
    nth: int


@define
class Reaper:
    """Counts down to the death of its own process."""

    _death: Death | None
    _reached: int = field(default=0, init=False)

    def at(self, point: Point) -> None:
        """Does not return from the point and time that were chosen."""
        if self._death is None or point is not self._death.point:
            return
        self._reached += 1
        if self._reached == self._death.nth:
            os.kill(os.getpid(), signal.SIGKILL)


class DyingDatabase(Database):
    """The storage of an API process that dies when a retry has been committed."""

    reaper = Reaper(None)

    async def fetch_once(self, statement: LiteralString, parameters: Mapping[str, Any]) -> Any:
        rows = await super().fetch_once(statement, parameters)
        if statement is statements.COMMIT and rows:
            self.reaper.at(Point.AFTER_COMMIT)
        return rows


class _Dying(PassThrough):
    def __init__(self, inner: Any, reaper: Reaper) -> None:
        super().__init__(inner)
        self._reaper = reaper


class DyingClaim(_Dying):
    async def delivered(self, ids: Sequence[UUID]) -> None:
        self._reaper.at(Point.BEFORE_DELETE)
        await self._inner.delivered(ids)
        self._reaper.at(Point.AFTER_DELETE)


class DyingOutbox(_Dying):
    @asynccontextmanager
    async def claim(self, kind: MessageKind, limit: int) -> AsyncIterator[Any]:
        async with self._inner.claim(kind, limit) as claim:
            if not claim.messages:
                yield claim
                return
            self._reaper.at(Point.AFTER_CLAIM)
            yield DyingClaim(claim, self._reaper)


class DyingQueue(_Dying):
    async def enqueue(self, jobs: Sequence[ExecutionJob]) -> None:
        await self._inner.enqueue(jobs)
        self._reaper.at(Point.AFTER_PUBLISH)


class DyingBus(_Dying):
    async def publish(self, events: Sequence[RetriedEvent]) -> None:
        await self._inner.publish(events)
        self._reaper.at(Point.AFTER_PUBLISH)
