"""The brokers that can be chosen by `AUTOMATION_RETRY_JOB_QUEUE` and `AUTOMATION_RETRY_EVENT_BUS`.

Without a choice it is the first that works with the storage. A new broker is a new package under
`adapters/` and one line here.
"""

from collections.abc import Mapping

from automation_retry.adapters import discarding, memory, nats, procrastinate, redis
from automation_retry.adapters.broker_type import BrokerType

_TYPES = (
    memory.BROKER,
    procrastinate.BROKER,
    redis.BROKER,
    nats.BROKER,
    discarding.BROKER,
)

BROKERS: Mapping[str, BrokerType] = {one.name: one for one in _TYPES}
