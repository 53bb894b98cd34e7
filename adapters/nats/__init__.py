"""Engine on NATS JetStream, for many machines."""

from automation_retry.adapters.extras import install_command

try:
    import nats as _nats  # noqa: F401 - the driver, which has this package's name
except ModuleNotFoundError as error:
    raise ImportError(f"The nats engine needs its driver: {install_command('nats')}") from error

from automation_retry.adapters.nats.connection import NatsConnection
from automation_retry.adapters.nats.delivery import NatsBus, NatsQueue
from automation_retry.adapters.nats.settings import NatsSettings

__all__ = ["NatsBus", "NatsConnection", "NatsQueue", "NatsSettings"]
