from collections.abc import AsyncIterator

import pytest

from automation_retry.application.ports import BrokerBundle
from tests.adapters.nats.nats_streams import opened
from tests.support.nats_server import NatsServer


@pytest.fixture
def url(own_nats: NatsServer) -> str:
    """Of a NATS that never had streams: one that is deleted and created again may keep messages.

    (nats-server 2.15 removes its files in the background, and finds some of them again.)
    """
    return own_nats.url


@pytest.fixture
async def broker(url: str) -> AsyncIterator[BrokerBundle]:
    async with opened(url) as broker:
        yield broker
