"""Units of work are also tested where commits hand their messages over themselves."""

from collections.abc import AsyncIterator, Sequence
from uuid import UUID

import pytest

from automation_retry.domain import Execution
from tests.contracts.conftest import opening
from tests.contracts.storage import StorageUnderTest
from tests.support.factories import RetryWrite, a_failed_execution


@pytest.fixture(scope="package", params=["memory", "postgres", "postgres, handing over"])
async def storage(request: pytest.FixtureRequest) -> AsyncIterator[StorageUnderTest]:
    async with opening(request, request.param) as opened:
        yield opened


@pytest.fixture
async def failed(empty_outbox: StorageUnderTest) -> Execution:
    """A stored execution that failed, and an outbox that has nothing else in it."""
    execution = a_failed_execution()
    await empty_outbox.executions.add([execution])
    return execution


async def committed(storage: StorageUnderTest, writes: Sequence[RetryWrite]) -> frozenset[UUID]:
    """Commits all writes in one unit of work; the ids that lost."""
    async with storage.new_unit_of_work() as work:
        for write in writes:
            write.stage(work)
        return (await work.commit()).lost
