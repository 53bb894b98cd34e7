from collections.abc import Iterator

import pytest

from tests.support.nats_server import NatsServer, running_nats
from tests.support.redis_server import RedisServer, running_redis


@pytest.fixture(scope="session")
def shared_redis() -> Iterator[RedisServer]:
    """A Redis for all tests that leave it running."""
    with running_redis() as server:
        yield server


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """A Redis that the test may stop, kill and let hang."""
    with running_redis() as server:
        yield server


@pytest.fixture
def own_nats() -> Iterator[NatsServer]:
    """A NATS that the test may stop, kill and let hang."""
    with running_nats() as server:
        yield server
