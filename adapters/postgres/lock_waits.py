import asyncio
from collections.abc import AsyncIterator, Hashable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from weakref import WeakValueDictionary

from attrs import define, field


def _key_locks() -> WeakValueDictionary[Hashable, asyncio.Lock]:
    return WeakValueDictionary()


@define(eq=False)
class LockWaits:
    """Limits how many connections wait for row locks.

    At most one for each row, and a limited number in all. Further callers wait in memory, in order
    of arrival, without a connection.
    """

    _connections: asyncio.Semaphore
    _keys: WeakValueDictionary[Hashable, asyncio.Lock] = field(init=False, factory=_key_locks)
    """Weak: a lock exists while somebody holds it or waits for it."""

    @classmethod
    def of_pool(cls, max_size: int) -> "LockWaits":
        """For a pool of `max_size` connections, of which a third may wait for locks."""
        return cls(asyncio.Semaphore(max(1, max_size // 3)))

    @asynccontextmanager
    async def turn(self, rows: Iterable[Hashable]) -> AsyncIterator[None]:
        """Entered when the caller may wait for the locks of `rows` on a connection.

        Several rows are passed in a global order, so that callers cannot deadlock.
        """
        async with AsyncExitStack() as stack:
            for row in rows:
                lock = self._keys.get(row)
                if lock is None:
                    lock = self._keys[row] = asyncio.Lock()
                await stack.enter_async_context(lock)
            await stack.enter_async_context(self._connections)
            yield
