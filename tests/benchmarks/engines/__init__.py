"""The engines that the relay hands over to, and what their bare clients do without it.

An engine that joins them brings a module with a `BareEngine` and a line in `ENGINES`.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Final

from tests.benchmarks.arena import Arena
from tests.benchmarks.engines.engine import BareEngine
from tests.benchmarks.engines.nats_engine import running_bare_nats
from tests.benchmarks.engines.procrastinate_engine import running_procrastinate
from tests.benchmarks.engines.redis_engine import running_bare_redis

ENGINES: Final[Mapping[str, Callable[[Arena], AbstractAsyncContextManager[BareEngine]]]] = {
    "procrastinate": running_procrastinate,
    "redis": running_bare_redis,
    "nats": running_bare_nats,
}
"""Each makes an empty engine, durable as the service wants it, that ends with the context."""
