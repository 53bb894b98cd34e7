import asyncio
from collections.abc import Sequence
from datetime import datetime

import pytest
from attrs import define, field

from automation_retry.application import ExpireIdempotencyKeys, StorageUnavailable
from automation_retry.application.idempotency import LIFETIME
from automation_retry.application.ports import IdempotencyKeys
from automation_retry.entrypoints.worker import HousekeepingLoop
from tests.entrypoints.worker.broken_log import broken_log
from tests.support.factories import NOON


@define(eq=False)
class Records(IdempotencyKeys):
    """Idempotency records that can fail to be removed."""

    error: Exception | None = None
    asked: list[datetime] = field(factory=list)

    async def remove(self, before: datetime, limit: int) -> int:  # noqa: ARG002
        self.asked.append(before)
        if self.error:
            raise self.error
        return 1


@pytest.mark.parametrize(
    ("error", "written"),
    [
        (None, ["idempotency keys expired"]),
        (StorageUnavailable("away"), ["housekeeping waits"]),
        (ZeroDivisionError("a bug"), ["housekeeping failed"]),
    ],
)
async def test_removes_expired_records_until_it_is_stopped(
    error: Exception | None, written: Sequence[str]
) -> None:
    """Neither an error nor a lost log line ends it; a stop ends it during its pause."""
    records, stopping = Records(error), asyncio.Event()
    loop = HousekeepingLoop(
        {"idempotency keys expired": ExpireIdempotencyKeys(records, lambda: NOON)}
    )
    with broken_log() as lost:
        task = asyncio.create_task(loop.run(stopping))
        while not lost:
            assert not task.done()
            await asyncio.sleep(0)
        before = task.done()
        stopping.set()
        async with asyncio.timeout(30):
            await task

    assert not before
    assert records.asked == [NOON - LIFETIME]
    assert lost == written


async def test_an_error_of_one_removal_does_not_keep_the_others_from_theirs() -> None:
    async def fails() -> int:
        raise ZeroDivisionError

    async def removes() -> int:
        return 1

    stopping = asyncio.Event()
    loop = HousekeepingLoop({"keys expired": fails, "events expired": removes})
    with broken_log() as lost:
        task = asyncio.create_task(loop.run(stopping))
        while len(lost) < 2:
            assert not task.done()
            await asyncio.sleep(0)
        stopping.set()
        async with asyncio.timeout(30):
            await task

    assert lost == ["housekeeping failed", "events expired"]
