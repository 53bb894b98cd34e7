"""Engine on NATS JetStream, for many machines."""

try:
    import nats as _nats  # noqa: F401 - the driver, which has this package's name
except ModuleNotFoundError as error:
    raise ImportError(
        "The nats engine needs its driver: pip install 'automation-retry[nats]'"
    ) from error

from adapters.nats.connection import NatsConnection
from adapters.nats.delivery import NatsBus, NatsQueue
from adapters.nats.settings import NatsSettings

__all__ = ["NatsBus", "NatsConnection", "NatsQueue", "NatsSettings"]
