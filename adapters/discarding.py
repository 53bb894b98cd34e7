"""The choice of no broker: nobody hears of retries."""

from collections.abc import Sequence

from automation_retry.adapters.always_ready import AlwaysReady
from automation_retry.adapters.broker_type import BrokerType
from automation_retry.adapters.no_tables import NoTables
from automation_retry.adapters.storage_kind import EVERY_STORAGE
from automation_retry.application import Message, MessageKind
from automation_retry.application.ports import Broker, BrokerBundle

NAME = "none"


class DiscardingBroker(Broker):
    """Drops what waits in the outbox from a time when another broker was chosen."""

    async def send(self, messages: Sequence[Message]) -> None:
        """Accepts all of them."""


def _new_bundle() -> BrokerBundle:
    resources = AlwaysReady()
    return BrokerBundle(
        name=NAME,
        broker=DiscardingBroker(),
        lifecycle=resources,
        schema=NoTables(),
        readiness=resources,
    )


BROKER = BrokerType(
    name=NAME,
    storages=EVERY_STORAGE,
    kinds=frozenset([MessageKind.EVENT]),
    discards=True,
    new=lambda _variables, _storage, _kinds: _new_bundle(),
)
