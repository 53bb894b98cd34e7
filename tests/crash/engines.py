"""The engines that the harness can run the service on."""

from collections.abc import Mapping
from typing import Final

from tests.crash.engine_under_test import NewEngine
from tests.crash.nats_under_test import nats_under_test
from tests.crash.procrastinate_under_test import procrastinate_under_test
from tests.crash.redis_under_test import redis_under_test

ENGINES: Final[Mapping[str, NewEngine]] = {
    "procrastinate": procrastinate_under_test,
    "redis": redis_under_test,
    "nats": nats_under_test,
}
