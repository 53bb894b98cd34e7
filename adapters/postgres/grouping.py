"""Requests of concurrent callers that wait for the database share one statement.

A caller that comes alone is served at once; those who come while a statement runs go together in
the next one. So nobody waits for others to come, and the busier it is, the fewer round trips,
parses and flushes each of them costs.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from typing import Generic, TypeVar

from attrs import define, field

from automation_retry.application import StorageUnavailable

Request = TypeVar("Request")
Answer = TypeVar("Answer")


@define(eq=False)
class Grouping(Generic[Request, Answer]):
    """Runs requests in groups, in the order of their coming; each caller gets its own outcome.

    An error of a group of several is nobody's in particular, so each is then tried by itself; but
    not when the storage did not answer, since the group may have been carried out.
    """

    _run: Callable[[Sequence[Request]], Awaitable[Sequence[Answer]]]
    """Carries a group out, all or nothing; an answer for each request, in their order."""
    _claims: Callable[[Request], Iterable[Hashable]]
    """What a request needs for itself: two that claim the same are never in one group."""
    _most: int = 100
    """Requests in a group."""
    _waiting: list[tuple[Request, asyncio.Future[Answer]]] = field(factory=list, init=False)
    _busy: bool = field(default=False, init=False)
    _runner: asyncio.Task[None] | None = field(default=None, init=False)
    """Kept here because the event loop alone would let it be collected."""

    async def __call__(self, request: Request) -> Answer:
        """The answer to the request; what `run` raises for it.

        Who waits for a group may be cancelled, and its request is carried out all the same; who
        came alone takes its request with it.
        """
        if self._busy:
            answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
            self._waiting.append((request, answer))
            return await answer
        self._busy = True
        try:
            [alone] = await self._run([request])
            return alone
        finally:
            if self._waiting:
                self._runner = asyncio.create_task(self._serve())
            else:
                self._busy = False

    async def _serve(self) -> None:
        try:
            while self._waiting:
                await self._answer(self._next_group())
        finally:
            self._busy = False

    def _next_group(self) -> list[tuple[Request, asyncio.Future[Answer]]]:
        claimed = set[Hashable]()
        group: list[tuple[Request, asyncio.Future[Answer]]] = []
        later: list[tuple[Request, asyncio.Future[Answer]]] = []
        for one in self._waiting:
            claims = set(self._claims(one[0]))
            fits = len(group) < self._most and claimed.isdisjoint(claims)
            (group if fits else later).append(one)
            # Claimed by those who wait, too: nobody overtakes an earlier request for the same.
            claimed |= claims
        self._waiting = later
        return group

    async def _answer(self, group: Sequence[tuple[Request, asyncio.Future[Answer]]]) -> None:
        try:
            answers = await self._run([request for request, _ in group])
        except StorageUnavailable as unavailable:
            for _, waiter in group:
                _fail(waiter, StorageUnavailable(unavailable.reason), unavailable)
        except Exception as error:  # noqa: BLE001 - it is the caller's, whatever it is
            if len(group) == 1:
                _fail(group[0][1], error)
                return
            for one in group:
                await self._answer([one])
        else:
            for (_, waiter), answer in zip(group, answers, strict=True):
                if not waiter.done():
                    waiter.set_result(answer)


def _fail(
    waiter: asyncio.Future[Answer], error: Exception, cause: BaseException | None = None
) -> None:
    if not waiter.done():
        if cause is not None:
            error.__cause__ = cause.__cause__
        waiter.set_exception(error)
