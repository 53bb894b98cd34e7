"""The contract suites run over every storage and every broker named here.

Each is opened once for all tests, which use tenants of their own. Each has a database of its own as
well: the relay or worker of another test would take away what is claimed or consumed here.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

import pytest

from automation_retry.adapters.postgres.storage import NO_HAND_OVER
from automation_retry.adapters.procrastinate.hand_over import HAND_OVER
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


def opening(
    request: pytest.FixtureRequest, name: str
) -> AbstractAsyncContextManager[StorageUnderTest]:
    """The storage of that name."""
    if name == "memory":
        return memory_storage.open_storage()
    hand_over = HAND_OVER if name == "postgres, handing over" else NO_HAND_OVER
    return postgres_storage.open_storage(new_database_url(request), hand_over)


@pytest.fixture(scope="session", params=["memory", "postgres"])
async def storage(request: pytest.FixtureRequest) -> AsyncIterator[StorageUnderTest]:
    async with opening(request, request.param) as opened:
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
            broker = memory_broker.open_broker()
        case "redis":
            broker = redis_broker.open_broker()
        case "nats":
            broker = nats_broker.open_broker()
        case _:
            broker = procrastinate_broker.open_broker(new_database_url(request))
    async with broker as opened:
        yield opened
