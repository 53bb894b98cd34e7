"""The README's engine for Redis trims its stream: nothing that any group still needs is removed."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen
from redis.asyncio import Redis

from tests.support.command import environment
from tests.support.postgres_server import private_folder
from tests.support.redis_server import running_redis
from tests.test_readme import code

STREAM = "alga-psa:automation:executions"
TRIM = """
import asyncio, os, redis_engine
asyncio.run(redis_engine.trim(redis_engine.Redis.from_url(os.environ["REDIS_URL"])))
"""


@frozen
class Trimmed:
    """A stream of five entries, 8-0 to 12-0, and the README's `trim`."""

    folder: Path
    url: str
    redis: Any

    async def read(self, group: str, count: int, acknowledged: int) -> None:
        """A group that has read the first `count` entries and acknowledged so many of them."""
        await self.redis.xgroup_create(STREAM, group, id="0")
        if count:
            await self.redis.xreadgroup(group, "engine", {STREAM: ">"}, count=count)
        for number in range(8, 8 + acknowledged):
            await self.redis.xack(STREAM, group, f"{number}-0")

    async def trim(self) -> list[int]:
        """The numbers of the entries that are left."""
        await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-c", TRIM],
            cwd=self.folder,
            env=environment({"REDIS_URL": self.url}),
            check=True,
        )
        return [int(entry.split(b"-")[0]) for entry, _ in await self.redis.xrange(STREAM)]


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with private_folder() as folder:
        for name in ("automation.py", "engine.py", "redis_engine.py"):
            (folder / name).write_text(code("python", f"# {name}\n"), "utf-8")
        yield folder


@pytest.fixture
async def stream(folder: Path) -> AsyncIterator[Trimmed]:
    with running_redis() as server:
        async with Redis.from_url(server.url) as redis:
            for number in range(8, 13):
                await redis.xadd(STREAM, {"job": "{}"}, id=f"{number}-0")
            yield Trimmed(folder, server.url, redis)


async def test_what_is_pending_and_what_follows_is_kept(stream: Trimmed) -> None:
    await stream.read("engines", 4, acknowledged=2)

    assert await stream.trim() == [10, 11, 12]


async def test_the_group_that_is_furthest_behind_decides(stream: Trimmed) -> None:
    """Numbers are compared, not texts: 9-0 is before 10-0."""
    await stream.read("engines", 5, acknowledged=5)
    await stream.read("audit", 4, acknowledged=1)

    assert await stream.trim() == [9, 10, 11, 12]


async def test_without_anything_pending_what_was_not_delivered_is_kept(stream: Trimmed) -> None:
    """And the last entry that was."""
    await stream.read("engines", 3, acknowledged=3)

    assert await stream.trim() == [10, 11, 12]


async def test_a_group_that_has_read_nothing_keeps_all(stream: Trimmed) -> None:
    await stream.read("engines", 5, acknowledged=5)
    await stream.read("new", 0, acknowledged=0)

    assert await stream.trim() == [8, 9, 10, 11, 12]


async def test_without_groups_all_is_kept(stream: Trimmed) -> None:
    assert await stream.trim() == [8, 9, 10, 11, 12]
