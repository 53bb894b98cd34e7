"""Engine on Redis Streams (Redis ≥ 6.2): AlgaPSA's event bus, and a job queue beside it."""

try:
    import redis as _redis  # noqa: F401 - the driver, which has this package's name
except ModuleNotFoundError as error:
    raise ImportError(
        "The redis engine needs its driver: pip install 'automation-retry[redis]'"
    ) from error

from adapters.redis.connection import RedisConnection
from adapters.redis.delivery import RedisBus, RedisQueue
from adapters.redis.settings import RedisSettings

__all__ = ["RedisBus", "RedisConnection", "RedisQueue", "RedisSettings"]
