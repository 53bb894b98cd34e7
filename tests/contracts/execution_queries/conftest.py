"""The table of executions has no constraint here but its key, as one that others made."""

from collections.abc import AsyncIterator

import psycopg
import pytest

from tests.contracts import memory_storage, postgres_storage
from tests.contracts.conftest import new_database_url
from tests.contracts.storage import StorageUnderTest


@pytest.fixture(scope="package", params=["memory", "postgres"])
async def storage(request: pytest.FixtureRequest) -> AsyncIterator[StorageUnderTest]:
    if request.param == "memory":
        opened = memory_storage.open_storage()
    else:
        url = new_database_url(request)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(
                "ALTER TABLE automation_executions ALTER started_at DROP NOT NULL,"
                " DROP CONSTRAINT automation_executions_status_known"
            )
        opened = postgres_storage.open_storage(url)
    async with opened as storage:
        yield storage
