"""Concurrent requests share a statement.

A request runs immediately when nothing is running; those that arrive meanwhile form the next batch.
So none is delayed to wait for company, and round trips, parses and flushes for each request become
fewer as load grows.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from typing import Generic, TypeVar

from attrs import define, field

from automation_retry.application import StorageUnavailable

Request = TypeVar("Request")
Answer = TypeVar("Answer")


@define(eq=False)
class Coalescer(Generic[Request, Answer]):
    """Runs requests in batches, in order of arrival; each caller gets its own outcome.

    When a batch of several fails, each of its requests is run again by itself, so that an error
    reaches only the caller that caused it. After `StorageUnavailable` none is run again, since the
    batch may have been committed.
    """

    _run: Callable[[Sequence[Request]], Awaitable[Sequence[Answer]]]
    """Runs a batch, all or nothing; returns an answer for each request, in their order."""
    _conflict_keys: Callable[[Request], Iterable[Hashable]]
    """Keys of a request: disjoint within a batch."""
    _max_batch: int = 100
    """Requests."""
    _waiting: list[tuple[Request, asyncio.Future[Answer]]] = field(factory=list, init=False)
    _busy: bool = field(default=False, init=False)
    _runner: asyncio.Task[None] | None = field(default=None, init=False)
    """Referenced here because the event loop alone would let it be collected."""

    async def __call__(self, request: Request) -> Answer:
        """The answer to the request, or the error that `run` raised for it.

        Cancelling a caller cancels its request only when it runs alone; in a batch it is run all
        the same, and the answer is dropped.
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
                self._runner = asyncio.create_task(self._run_batches())
            else:
                self._busy = False

    async def _run_batches(self) -> None:
        try:
            while self._waiting:
                await self._run_batch(self._next_batch())
        finally:
            self._busy = False

    def _next_batch(self) -> list[tuple[Request, asyncio.Future[Answer]]]:
        taken = set[Hashable]()
        batch: list[tuple[Request, asyncio.Future[Answer]]] = []
        later: list[tuple[Request, asyncio.Future[Answer]]] = []
        for one in self._waiting:
            keys = set(self._conflict_keys(one[0]))
            fits = len(batch) < self._max_batch and taken.isdisjoint(keys)
            (batch if fits else later).append(one)
            # Those of a request that stays behind as well: conflicting requests keep their order.
            taken |= keys
        self._waiting = later
        return batch

    async def _run_batch(self, batch: Sequence[tuple[Request, asyncio.Future[Answer]]]) -> None:
        try:
            answers = await self._run([request for request, _ in batch])
        except StorageUnavailable as unavailable:
            for _, waiter in batch:
                _fail(waiter, StorageUnavailable(unavailable.reason), unavailable)
        except Exception as error:  # noqa: BLE001 - it belongs to the caller, whatever it is
            if len(batch) == 1:
                _fail(batch[0][1], error)
                return
            for one in batch:
                await self._run_batch([one])
        else:
            for (_, waiter), answer in zip(batch, answers, strict=True):
                if not waiter.done():
                    waiter.set_result(answer)


def _fail(
    waiter: asyncio.Future[Answer], error: Exception, cause: BaseException | None = None
) -> None:
    if not waiter.done():
        if cause is not None:
            error.__cause__ = cause.__cause__
        waiter.set_exception(error)
