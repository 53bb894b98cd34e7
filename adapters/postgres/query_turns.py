import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import UUID
from weakref import WeakValueDictionary

from attrs import define, field

from automation_retry.application import StorageUnavailable

_BUSY = "other queries use all connections that queries may use"


def _tenants() -> WeakValueDictionary[UUID, asyncio.Lock]:
    return WeakValueDictionary()


@define(eq=False)
class QueryTurns:
    """Limits how many connections queries use, so that they delay neither retries nor each other.

    Those that an index answers are apart from those that may read a lot. Of the latter a tenant has
    one at a time, so that it cannot take them from the others.
    """

    _indexed: asyncio.Semaphore
    _broad: asyncio.Semaphore
    _seconds: float
    """How long a query waits for its turn."""
    _tenants: WeakValueDictionary[UUID, asyncio.Lock] = field(init=False, factory=_tenants)
    """Weak: a lock exists while somebody holds it or waits for it."""

    @classmethod
    def of_pool(cls, max_size: int, seconds: float) -> "QueryTurns":
        """For a pool of `max_size` connections: up to a third and a fifth of them."""
        return cls(
            asyncio.Semaphore(max(1, max_size // 3)),
            asyncio.Semaphore(max(1, max_size // 5)),
            seconds,
        )

    @asynccontextmanager
    async def turn(self, tenant: UUID, *, indexed: bool) -> AsyncIterator[None]:
        """Entered when the query may use a connection.

        Raises:
            StorageUnavailable: it is not its turn in time.
        """
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(self._seconds):
                    if indexed:
                        await stack.enter_async_context(self._indexed)
                    else:
                        await stack.enter_async_context(self._lock_of(tenant))
                        await stack.enter_async_context(self._broad)
            except TimeoutError:
                raise StorageUnavailable(_BUSY) from None
            yield

    def _lock_of(self, tenant: UUID) -> asyncio.Lock:
        lock = self._tenants.get(tenant)
        if lock is None:
            lock = self._tenants[tenant] = asyncio.Lock()
        return lock
