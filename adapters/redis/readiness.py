from collections.abc import Mapping, Sequence
from typing import Any

from attrs import frozen

from automation_retry.adapters.redis.connection import RedisConnection
from automation_retry.adapters.redis.streams import streams
from automation_retry.application import BrokerUnavailable, MessageKind
from automation_retry.application.ports import Readiness

_OLDEST = (6, 2)
# The other policies evict nothing or volatile keys only: without its marker a message that is sent
# again is added again.
_EVICTS_STREAMS = "allkeys-"


@frozen
class RedisReadiness(Readiness):
    """Whether Redis can keep messages of these kinds."""

    connection: RedisConnection
    kinds: frozenset[MessageKind]

    async def problems(self) -> Sequence[str]:
        """The server's first problem; where it has none, those of the streams."""
        try:
            async with self.connection.redis() as redis:
                if problem := _server_problem(await redis.info()):
                    return (problem,)
                types = {
                    stream.key: await redis.type(stream.key)
                    for kind, stream in streams(self.connection.settings).items()
                    if kind in self.kinds
                }
        except BrokerUnavailable as unavailable:
            return (f"Redis is unavailable: {unavailable.reason}.",)
        return [problem for key, found in types.items() if (problem := _type_problem(key, found))]


def _server_problem(info: Mapping[str, Any]) -> str | None:
    """The first problem that `INFO` shows; a field that a provider leaves out shows none."""
    version = str(info.get("redis_version", "6.2"))
    policy = str(info.get("maxmemory_policy", ""))
    if tuple(int(number) for number in version.split(".")[:2]) < _OLDEST:
        return f"Redis {version} is too old; 6.2 is the oldest supported version."
    if info.get("role") == "slave":
        return "This Redis is a replica, which takes no messages."
    if policy.startswith(_EVICTS_STREAMS):
        return f"Redis may evict whole streams (maxmemory-policy {policy}); set noeviction."
    if info.get("aof_enabled") == 0:
        return "Redis loses acknowledged messages when it crashes; set appendonly yes."
    return None


def _type_problem(key: str, found: bytes | str) -> str | None:
    name = found.decode() if isinstance(found, bytes) else found
    if name not in {"none", "stream"}:
        return f"The key {key} of Redis holds a {name}, not a stream."
    return None
