"""The connection pool, and the one place where driver errors become the application's."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from automation_retry.adapters.redis import BROKER
from automation_retry.adapters.redis.settings import RedisSettings
from automation_retry.application import BrokerUnavailable
from automation_retry.application.ports import Lifecycle


class RedisConnection(Lifecycle):
    """Connections to one Redis, built closed. It connects on demand: Redis may be down any time."""

    def __init__(self, settings: RedisSettings) -> None:
        """Does not connect.

        Raises:
            ValueError: the URL is not one of Redis.
        """
        self.settings = settings
        self._is_open = False
        self._redis = Redis.from_url(
            settings.url,
            # A command whose reply was lost may have been executed: the driver must not repeat it.
            retry=Retry(NoBackoff(), 0),
            socket_timeout=settings.timeout_s,
            socket_connect_timeout=settings.timeout_s,
            # With RESP3 the driver also listens for push notifications, and then mistakes a pooled
            # connection that Redis has closed for a usable one.
            protocol=2,
        )

    async def open(self) -> None:
        self._is_open = True

    async def close(self) -> None:
        self._is_open = False
        with suppress(RedisError, OSError):
            await self._redis.aclose()

    @asynccontextmanager
    async def redis(self) -> AsyncIterator[Redis]:
        """The client; `timeout_s` bounds each command and the whole context.

        Raises:
            BrokerUnavailable: Redis did not answer in time, or answered with an error.
        """
        if not self._is_open:
            raise BrokerUnavailable(BROKER.name, "the connection is closed")
        timeout = self.settings.timeout_s
        try:
            async with asyncio.timeout(timeout):
                yield self._redis
        except (RedisError, OSError) as error:
            reason = str(error) or f"no answer in {timeout} s"
            raise BrokerUnavailable(BROKER.name, reason) from error
