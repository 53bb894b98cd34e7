"""Broker on Procrastinate, in the same PostgreSQL as the storage."""

from automation_retry.adapters.broker_type import BrokerType
from automation_retry.adapters.procrastinate.hand_over import HAND_OVER
from automation_retry.adapters.storage_kind import POSTGRESQL
from automation_retry.application import MessageKind
from automation_retry.application.ports import BrokerBundle, Storage

__all__ = ["BROKER"]


def _new(_variables: None, storage: Storage, _kinds: frozenset[MessageKind]) -> BrokerBundle:
    from automation_retry.adapters.procrastinate.broker import procrastinate_broker

    return procrastinate_broker(storage)


BROKER = BrokerType(name="procrastinate", storages=POSTGRESQL, new=_new, hand_over=HAND_OVER)
