"""Storages of their own: these tests list what is in them."""

from collections.abc import AsyncIterator

import pytest

from tests.contracts import memory_storage, postgres_storage
from tests.contracts.conftest import new_database_url
from tests.contracts.storage import StorageUnderTest


@pytest.fixture(scope="package", params=["memory", "postgres"])
async def storage(request: pytest.FixtureRequest) -> AsyncIterator[StorageUnderTest]:
    if request.param == "memory":
        opened = memory_storage.open_storage()
    else:
        opened = postgres_storage.open_storage(new_database_url(request))
    async with opened as storage:
        yield storage
