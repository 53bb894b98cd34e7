"""Broker on NATS JetStream, for many machines."""

from automation_retry.adapters.broker_type import BrokerType
from automation_retry.adapters.extras import install_command
from automation_retry.adapters.nats.variables import NatsVariables
from automation_retry.adapters.storage_kind import EVERY_STORAGE
from automation_retry.application import MessageKind
from automation_retry.application.ports import BrokerBundle, Storage

__all__ = ["BROKER"]


def _new(
    variables: NatsVariables, _storage: Storage, kinds: frozenset[MessageKind]
) -> BrokerBundle:
    try:
        from automation_retry.adapters.nats.broker import nats_broker
    except ModuleNotFoundError as error:
        needed = install_command(BROKER.name)
        raise ImportError(f"The {BROKER.name} broker needs its driver: {needed}") from error
    return nats_broker(variables.settings(), kinds=kinds)


BROKER = BrokerType(
    name="nats", storages=EVERY_STORAGE, variables=NatsVariables, driver="nats", new=_new
)
