"""Concurrent requests share a statement.

A request runs immediately when nothing is running; those that arrive meanwhile form the next batch.
So none is delayed to wait for company, and round trips, parses and flushes for each request become
fewer as load grows.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from typing import Generic, TypeVar

from attrs import define, field

from automation_retry.adapters.postgres.errors import refused_by_row
from automation_retry.application import StorageUnavailable

Request = TypeVar("Request")
Answer = TypeVar("Answer")

# Longer than it takes until idle connections are examined, so that the new lane gets a working one.
_PATIENCE_S = 0.75
"""If no batch began for this long, the waiting requests start another lane."""
_MAX_LANES = 3


@define(eq=False)
class Coalescer(Generic[Request, Answer]):
    """Runs requests in batches, in order of arrival; each caller gets its own outcome.

    When a batch of several fails, each of its requests is run again by itself, so that an error
    reaches only the caller that caused it. After `StorageUnavailable` none is run again, since the
    batch may have been committed, unless the server has refused it.

    Normally one batch runs at a time. While one hangs, up to two more lanes run batches, each on
    its own connection, so that a dead connection delays only the requests that are on it.
    """

    _run: Callable[[Sequence[Request]], Awaitable[Sequence[Answer]]]
    """Runs a batch, all or nothing; returns an answer for each request, in their order."""
    _conflict_keys: Callable[[Request], Iterable[Hashable]]
    """Keys of a request: disjoint within a batch."""
    _partition: Callable[[Request], Hashable] = lambda _: None
    """The same for all requests of a batch."""
    _max_batch: int = 100
    """Requests."""
    _waiting: list[tuple[Request, asyncio.Future[Answer]]] = field(factory=list, init=False)
    _lanes: int = field(default=0, init=False)
    """The number of running batches."""
    _began: float = field(default=0.0, init=False)
    """When the latest batch began, by the event loop's clock."""
    _watch: asyncio.TimerHandle | None = field(default=None, init=False)
    _runners: set[asyncio.Task[None]] = field(factory=set, init=False)
    """Referenced here because the event loop alone would let them be collected."""

    async def __call__(self, request: Request) -> Answer:
        """The answer to the request, or the error that `run` raised for it.

        Cancelling a caller cancels its request if it runs alone, and drops it if it has not begun;
        as part of a running batch it is still executed.
        """
        loop = asyncio.get_running_loop()
        if self._lanes:
            answer: asyncio.Future[Answer] = loop.create_future()
            self._waiting.append((request, answer))
            if self._watch is None:
                self._watch = loop.call_at(self._began + _PATIENCE_S, self._relieve)
            return await answer
        self._lanes = 1
        self._began = loop.time()
        try:
            [alone] = await self._run([request])
            return alone
        finally:
            self._lanes -= 1
            if self._waiting:
                self._start_lane()

    def _start_lane(self) -> None:
        self._lanes += 1
        self._began = asyncio.get_running_loop().time()
        runner = asyncio.create_task(self._run_batches())
        self._runners.add(runner)
        runner.add_done_callback(self._runners.discard)

    def _relieve(self) -> None:
        """Starts another lane if requests wait and no batch has begun recently."""
        self._watch = None
        if not self._waiting:
            return
        loop = asyncio.get_running_loop()
        if loop.time() >= self._began + _PATIENCE_S:
            if self._lanes == _MAX_LANES:
                return  # the next request sets the watch again
            self._start_lane()
        self._watch = loop.call_at(self._began + _PATIENCE_S, self._relieve)

    async def _run_batches(self) -> None:
        try:
            while batch := self._next_batch():
                self._began = asyncio.get_running_loop().time()
                await self._run_batch(batch)
        finally:
            self._lanes -= 1

    def _next_batch(self) -> list[tuple[Request, asyncio.Future[Answer]]]:
        taken = set[Hashable]()
        batch: list[tuple[Request, asyncio.Future[Answer]]] = []
        later: list[tuple[Request, asyncio.Future[Answer]]] = []
        for one in self._waiting:
            if one[1].done():
                continue  # its caller was cancelled
            if not batch:
                partition = self._partition(one[0])
            keys = set(self._conflict_keys(one[0]))
            fits = (
                len(batch) < self._max_batch
                and taken.isdisjoint(keys)
                and self._partition(one[0]) == partition
            )
            (batch if fits else later).append(one)
            # Those of a request that stays behind as well: conflicting requests keep their order.
            taken |= keys
        self._waiting = later
        return batch

    async def _run_batch(self, batch: Sequence[tuple[Request, asyncio.Future[Answer]]]) -> None:
        try:
            answers = await self._run([request for request, _ in batch])
        except StorageUnavailable as unavailable:
            if len(batch) > 1 and refused_by_row(unavailable.__cause__):
                await self._run_each(batch)
                return
            for _, waiter in batch:
                _fail(waiter, StorageUnavailable(unavailable.reason), unavailable)
        except Exception as error:  # noqa: BLE001 - it belongs to the caller, whatever it is
            if len(batch) == 1:
                _fail(batch[0][1], error)
                return
            await self._run_each(batch)
        else:
            for (_, waiter), answer in zip(batch, answers, strict=True):
                if not waiter.done():
                    waiter.set_result(answer)

    async def _run_each(self, batch: Sequence[tuple[Request, asyncio.Future[Answer]]]) -> None:
        for one in batch:
            if not one[1].done():
                await self._run_batch([one])


def _fail(
    waiter: asyncio.Future[Answer], error: Exception, cause: BaseException | None = None
) -> None:
    if not waiter.done():
        if cause is not None:
            error.__cause__ = cause.__cause__
        waiter.set_exception(error)
