"""The brokers that the harness can run the service with."""

from collections.abc import Mapping
from typing import Final

from tests.crash.broker_under_test import NewBroker
from tests.crash.nats_under_test import nats_under_test
from tests.crash.procrastinate_under_test import procrastinate_under_test
from tests.crash.redis_under_test import redis_under_test

BROKERS: Final[Mapping[str, NewBroker]] = {
    "procrastinate": procrastinate_under_test,
    "redis": redis_under_test,
    "nats": nats_under_test,
}
