"""A service process that kills itself at a named point: wrappers around the real adapters.

They do nothing else; whatever they do not define is that of the adapter inside.
"""

import os
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from enum import Enum
from typing import Any, LiteralString
from uuid import UUID

from attrs import define, field, frozen

from automation_retry.adapters.postgres import Database
from automation_retry.application import Message, MessageKind
from tests.crash.pass_through import PassThrough


class Point(Enum):
    """A moment in the life of a retry at which its process may die."""

    AFTER_COMMIT = "after the commit, before anything else"
    AFTER_CLAIM = "after the claim"
    AFTER_SEND = "after the send, acknowledged by the broker"
    BEFORE_ACKNOWLEDGE = "before the claim is acknowledged"
    AFTER_ACKNOWLEDGE = "after the claim is acknowledged, before that is committed"


RELAY_POINTS = tuple(point for point in Point if point is not Point.AFTER_COMMIT)


@frozen
class Death:
    """The process dies the `nth` time that it reaches a point; empty claims do not count."""

    point: Point
    nth: int


@define
class Countdown:
    """Kills its own process when it has reached the point of its death often enough."""

    _death: Death | None
    _times: int = field(default=0, init=False)

    def reached(self, point: Point) -> None:
        """Counts; does not return when this was the last time."""
        if self._death is None or point is not self._death.point:
            return
        self._times += 1
        if self._times == self._death.nth:
            os.kill(os.getpid(), signal.SIGKILL)


class DyingDatabase(Database):
    """The database of an API process that dies when a retry has been committed."""

    countdown = Countdown(None)

    async def fetch_once(
        self, statement: LiteralString, parameters: Mapping[str, Any], *, shared: bool = False
    ) -> Any:
        rows = await super().fetch_once(statement, parameters, shared=shared)
        if "INSERT INTO automation_failed_attempts" in statement and rows:
            self.countdown.reached(Point.AFTER_COMMIT)
        return rows


class _Dying(PassThrough):
    def __init__(self, inner: Any, countdown: Countdown) -> None:
        super().__init__(inner)
        self._countdown = countdown


class DyingClaim(_Dying):
    async def acknowledge(self, ids: Sequence[UUID]) -> None:
        self._countdown.reached(Point.BEFORE_ACKNOWLEDGE)
        await self._inner.acknowledge(ids)
        self._countdown.reached(Point.AFTER_ACKNOWLEDGE)


class DyingOutbox(_Dying):
    @asynccontextmanager
    async def claim(self, kind: MessageKind, limit: int) -> AsyncIterator[Any]:
        async with self._inner.claim(kind, limit) as claim:
            if not claim.messages:
                yield claim
                return
            self._countdown.reached(Point.AFTER_CLAIM)
            yield DyingClaim(claim, self._countdown)


class DyingBroker(_Dying):
    async def send(self, messages: Sequence[Message]) -> None:
        await self._inner.send(messages)
        self._countdown.reached(Point.AFTER_SEND)
