from collections.abc import AsyncIterator

import pytest

from tests.service.world import World, running_service


@pytest.fixture(params=["memory", "postgres"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """The service on each storage; nothing relays, so that messages stay to be looked at."""
    url = "memory:" if request.param == "memory" else request.getfixturevalue("shared_database_url")
    variables = {"DATABASE_URL": url, "AUTOMATION_RETRY_RELAY": "false"}
    async with running_service(variables) as world:
        yield world


@pytest.fixture
async def postgres_world(database_url: str) -> AsyncIterator[World]:
    """The service on a database of its own, without a relay."""
    variables = {"DATABASE_URL": database_url, "AUTOMATION_RETRY_RELAY": "false"}
    async with running_service(variables) as world:
        yield world
