"""Broker on Redis Streams (Redis ≥ 6.2): AlgaPSA's event bus, and a job queue beside it."""

from automation_retry.adapters.broker_type import BrokerType
from automation_retry.adapters.extras import install_command
from automation_retry.adapters.redis.variables import RedisVariables
from automation_retry.adapters.storage_kind import EVERY_STORAGE
from automation_retry.application import MessageKind
from automation_retry.application.ports import BrokerBundle, Storage

__all__ = ["BROKER"]


def _new(
    variables: RedisVariables, _storage: Storage, kinds: frozenset[MessageKind]
) -> BrokerBundle:
    try:
        from automation_retry.adapters.redis.broker import redis_broker
    except ModuleNotFoundError as error:
        needed = install_command(BROKER.name)
        raise ImportError(f"The {BROKER.name} broker needs its driver: {needed}") from error
    return redis_broker(variables.settings(), kinds=kinds)


BROKER = BrokerType(
    name="redis", storages=EVERY_STORAGE, variables=RedisVariables, driver="redis", new=_new
)
