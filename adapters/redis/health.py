"""What an operator should know about a Redis that is to keep jobs and events."""

from collections.abc import Mapping
from typing import Any

_OLDEST = (6, 2)
# The others evict nothing or only what expires: of ours the markers, which then cost a repetition.
_EVICTS_STREAMS = "allkeys-"


def server_problem(info: Mapping[str, Any]) -> str | None:
    """The first thing that `INFO` says against it; what a provider leaves out is taken as good."""
    version = str(info.get("redis_version", "6.2"))
    policy = str(info.get("maxmemory_policy", ""))
    if tuple(int(number) for number in version.split(".")[:2]) < _OLDEST:
        return f"Redis {version} is too old; 6.2 is the oldest that will do."
    if info.get("role") == "slave":
        return "This Redis is a replica, which takes no messages."
    if policy.startswith(_EVICTS_STREAMS):
        return f"Redis may evict whole streams (maxmemory-policy {policy}); set noeviction."
    if info.get("aof_enabled") == 0:
        return "Redis loses what it acknowledged when it crashes; set appendonly yes."
    return None


def stream_problem(key: str, kind: bytes | str) -> str | None:
    name = kind.decode() if isinstance(kind, bytes) else kind
    if name not in {"none", "stream"}:
        return f"The key {key} of Redis holds a {name}, not a stream."
    return None
