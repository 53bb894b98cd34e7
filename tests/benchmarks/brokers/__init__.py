"""The brokers that the relay sends to, each beside its bare client, without the service.

A new broker is a module with a `BareBroker` and a line in `BROKERS`.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Final

from tests.benchmarks.arena import Arena
from tests.benchmarks.brokers.bare_broker import BareBroker
from tests.benchmarks.brokers.bare_nats import running_bare_nats
from tests.benchmarks.brokers.bare_procrastinate import running_procrastinate
from tests.benchmarks.brokers.bare_redis import running_bare_redis

BROKERS: Final[Mapping[str, Callable[[Arena], AbstractAsyncContextManager[BareBroker]]]] = {
    "procrastinate": running_procrastinate,
    "redis": running_bare_redis,
    "nats": running_bare_nats,
}
"""Each context runs an empty broker, as durable as the service requires."""
