"""The pool of connections, and the one place where the driver's errors become the application's."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from automation_retry.adapters.redis.settings import RedisSettings
from automation_retry.application import EngineUnavailable

ENGINE: Final = "redis"


class RedisConnection:
    """Connections to one Redis; made closed, for `open` to open.

    Redis may be down at any time, when it is opened included: it is connected to when needed.
    """

    def __init__(self, settings: RedisSettings) -> None:
        """Connects to nothing.

        Raises:
            ValueError: the URL is not one of Redis.
        """
        self.settings = settings
        self._is_open = False
        self._redis = Redis.from_url(
            settings.url,
            # A command whose reply was lost may have been carried out, so the driver must not send
            # it again.
            retry=Retry(NoBackoff(), 0),
            socket_timeout=settings.timeout_s,
            socket_connect_timeout=settings.timeout_s,
            # With RESP3 the driver also listens for notifications, and then takes a pooled
            # connection that Redis has closed for a good one.
            protocol=2,
        )

    async def open(self) -> None:
        self._is_open = True

    async def close(self) -> None:
        """Lets go of all connections, in time even when Redis hangs."""
        self._is_open = False
        with suppress(RedisError, OSError):
            await self._redis.aclose()

    @asynccontextmanager
    async def redis(self) -> AsyncIterator[Redis]:
        """The client, for commands that are answered in time one by one and all together.

        Raises:
            EngineUnavailable: Redis did not answer in time, or answered with an error.
        """
        if not self._is_open:
            raise EngineUnavailable(ENGINE, "the connection is closed")
        timeout = self.settings.timeout_s
        try:
            async with asyncio.timeout(timeout):
                yield self._redis
        except (RedisError, OSError) as error:
            raise EngineUnavailable(ENGINE, str(error) or f"no answer in {timeout} s") from error
