"""The contract suites run over every storage and every engine named here.

Each is opened once for all tests, which keep apart by using tenants of their own. Its database is
its own too: a relay or a worker of other tests would take away what is claimed or consumed here.
"""

from collections.abc import AsyncIterator

import pytest

from automation_retry.application import MessageKind
from tests import postgres_storage, procrastinate_engine
from tests.ports import memory_engine, memory_storage, nats_engine, redis_engine
from tests.ports.engine import Engine
from tests.ports.storage import Storage


def new_database_url(request: pytest.FixtureRequest) -> str:
    """A migrated database of PostgreSQL, which is started for those that need it."""
    url: str = request.getfixturevalue("postgres_server").new_database("migrated")
    return url


@pytest.fixture(scope="session", params=["memory", "postgres"])
async def storage(request: pytest.FixtureRequest) -> AsyncIterator[Storage]:
    if request.param == "memory":
        opening = memory_storage.open_storage()
    else:
        opening = postgres_storage.open_storage(new_database_url(request))
    async with opening as opened:
        yield opened


@pytest.fixture
async def empty_outbox(storage: Storage) -> Storage:
    """The storage without the messages that other tests left in its outbox."""
    for kind in MessageKind:
        settled = True
        while settled:
            async with storage.outbox.claim(kind, 1000) as claim:
                settled = bool(claim.messages)
                await claim.delivered([message.id for message in claim.messages])
    return storage


@pytest.fixture(scope="session", params=["memory", "procrastinate", "redis", "nats"])
async def engine(request: pytest.FixtureRequest) -> AsyncIterator[Engine]:
    match request.param:
        case "memory":
            opening = memory_engine.open_engine()
        case "redis":
            opening = redis_engine.open_engine()
        case "nats":
            opening = nats_engine.open_engine()
        case _:
            opening = procrastinate_engine.open_engine(new_database_url(request))
    async with opening as opened:
        yield opened
