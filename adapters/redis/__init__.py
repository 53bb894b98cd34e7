"""Engine on Redis Streams (Redis ≥ 6.2): AlgaPSA's event bus, and a job queue beside it."""

from automation_retry.adapters.extras import install_command

try:
    import redis as _redis  # noqa: F401 - the driver, which has this package's name
except ModuleNotFoundError as error:
    raise ImportError(f"The redis engine needs its driver: {install_command('redis')}") from error

from automation_retry.adapters.redis.connection import RedisConnection
from automation_retry.adapters.redis.delivery import RedisBus, RedisQueue
from automation_retry.adapters.redis.settings import RedisSettings

__all__ = ["RedisBus", "RedisConnection", "RedisQueue", "RedisSettings"]
