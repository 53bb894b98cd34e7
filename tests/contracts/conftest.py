"""The contract suites run over every storage and every broker named here.

Each is opened once for all tests, which use tenants of their own. Each has a database of its own as
well: the relay or worker of another test would take away what is claimed or consumed here.
"""

from collections.abc import AsyncIterator

import pytest

from automation_retry.application import MessageKind
from automation_retry.application.ports import User
from tests.contracts import (
    memory_broker,
    memory_storage,
    nats_broker,
    postgres_storage,
    procrastinate_broker,
    redis_broker,
)
from tests.contracts.api_keys import a_user
from tests.contracts.broker import BrokerUnderTest
from tests.contracts.storage import StorageUnderTest


def new_database_url(request: pytest.FixtureRequest) -> str:
    """A migrated database of PostgreSQL, which is started for those that need it."""
    url: str = request.getfixturevalue("postgres_server").new_database("migrated")
    return url


@pytest.fixture(scope="session", params=["memory", "postgres"])
async def storage(request: pytest.FixtureRequest) -> AsyncIterator[StorageUnderTest]:
    if request.param == "memory":
        opening = memory_storage.open_storage()
    else:
        opening = postgres_storage.open_storage(new_database_url(request))
    async with opening as opened:
        yield opened


@pytest.fixture
async def user(storage: StorageUnderTest) -> User:
    """A user who may read and execute, in a tenant of its own."""
    return await a_user(storage)


@pytest.fixture
async def empty_outbox(storage: StorageUnderTest) -> StorageUnderTest:
    """The storage without the messages that other tests left in its outbox."""
    for kind in MessageKind:
        settled = True
        while settled:
            async with storage.outbox.claim(kind, 1000) as claim:
                settled = bool(claim.messages)
                await claim.acknowledge([message.id for message in claim.messages])
    return storage


@pytest.fixture(scope="session", params=["memory", "procrastinate", "redis", "nats"])
async def broker(request: pytest.FixtureRequest) -> AsyncIterator[BrokerUnderTest]:
    match request.param:
        case "memory":
            opening = memory_broker.open_broker()
        case "redis":
            opening = redis_broker.open_broker()
        case "nats":
            opening = nats_broker.open_broker()
        case _:
            opening = procrastinate_broker.open_broker(new_database_url(request))
    async with opening as opened:
        yield opened
