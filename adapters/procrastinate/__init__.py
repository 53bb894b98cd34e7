"""Broker on Procrastinate, in the same PostgreSQL as the storage."""

from automation_retry.adapters.broker_type import BrokerType
from automation_retry.adapters.procrastinate.hand_over import HAND_OVER
from automation_retry.adapters.procrastinate.variables import ProcrastinateVariables
from automation_retry.adapters.storage_kind import POSTGRESQL
from automation_retry.application import MessageKind
from automation_retry.application.ports import BrokerBundle, Storage

__all__ = ["BROKER"]


def _new(
    variables: ProcrastinateVariables, storage: Storage, kinds: frozenset[MessageKind]
) -> BrokerBundle:
    from automation_retry.adapters.procrastinate.broker import procrastinate_broker

    return procrastinate_broker(storage, event_retention_s=variables.event_retention_s, kinds=kinds)


BROKER = BrokerType(
    name="procrastinate",
    storages=POSTGRESQL,
    hand_over=HAND_OVER,
    variables=ProcrastinateVariables,
    new=_new,
)
