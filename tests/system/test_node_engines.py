"""The README's engines in Node do what those in Python do, by the same SQL."""

import asyncio
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen
from redis.asyncio import Redis

from automation_retry.domain import ExecutionStatus
from tests.support.command import ROOT
from tests.support.factories import a_failed_execution, a_job
from tests.support.readme_engines import WINDOW_S, Engines, create_engine_tables, engines
from tests.test_readme import code

PACKAGES = ROOT / "var" / "node" / "node_modules"
BROKERS = ("redis", "nats")


@frozen
class NodeEngines(Engines):
    """With the packages that `make test-system` has installed."""

    @property
    def program(self) -> Sequence[str]:
        return ["node", str(self.folder / f"{self.kind}_engine.mjs")]

    def write(self, work: str) -> None:
        assert PACKAGES.is_dir(), "its packages are missing; run `make test-system`"
        packages = self.folder / "node_modules"
        if not packages.exists():
            packages.symlink_to(PACKAGES)
        for name in ("engine.mjs", f"{self.kind}_engine.mjs"):
            (self.folder / name).write_text(code("js", f"// {name}\n"), "utf-8")
        automation = code("js", "// automation.mjs\n")
        if work:
            declaration = "export async function work(job) {\n"
            before, _, after = automation.partition(declaration)
            assert after
            automation = f'import * as fs from "node:fs";\n{before}{declaration}{work}}}\n'
        (self.folder / "automation.mjs").write_text(automation, "utf-8")


@asynccontextmanager
async def node_engines(kind: str, database_url: str) -> AsyncIterator[Engines]:
    create_engine_tables(database_url)
    async with engines(kind, database_url, written_in=NodeEngines) as beside_service:
        yield beside_service


@pytest.fixture(params=BROKERS)
async def engine(request: pytest.FixtureRequest, database_url: str) -> AsyncIterator[Engines]:
    async with node_engines(str(request.param), database_url) as beside_service:
        yield beside_service


async def test_an_engine_completes_what_was_retried(engine: Engines) -> None:
    """And ends with status 0 when it is asked to."""
    with engine.running() as process:
        completed = await engine.when(await engine.retried(), ExecutionStatus.COMPLETED)
        status = await asyncio.to_thread(process.end, signal.SIGTERM)

    assert completed.retry_count == 1
    assert completed.actions_successful == completed.actions_total
    assert completed.duration_ms is not None
    assert (status, process.printed) == (0, [])


async def test_an_engine_reports_once_and_only_for_its_attempt(engine: Engines) -> None:
    """A job that comes twice is handled once; one of an old attempt changes nothing."""
    pending = {"status": ExecutionStatus.PENDING, "completed_at": None, "retry_count": 2}
    first, fenced, last = [
        await engine.world.add(a_failed_execution(tenant=engine.world.tenant, **pending))
        for _ in range(3)
    ]
    job, old, after = [
        a_job(tenant=one.tenant, execution_id=one.execution_id, attempt=attempt)
        for one, attempt in ((first, 2), (fenced, 1), (last, 2))
    ]
    with engine.running():
        await engine.send(job)
        completed = await engine.when(first, ExecutionStatus.COMPLETED)
        for again in (job, old, after):
            await engine.send(again)
        await engine.when(last, ExecutionStatus.COMPLETED)

    executions = engine.world.storage.executions
    assert await executions.get(first.tenant, first.execution_id) == completed
    assert await executions.get(fenced.tenant, fenced.execution_id) == fenced


async def test_an_engine_reports_that_an_action_failed(engine: Engines) -> None:
    with engine.running('  throw new ActionFailed("no such ticket\\0", 2);\n'):
        failed = await engine.when(await engine.retried(), ExecutionStatus.FAILED)

    assert failed.error_message == "no such ticket?"
    assert failed.error_stack is not None
    assert "automation.mjs" in failed.error_stack
    assert (failed.failed_action_index, failed.actions_successful) == (2, 2)
    assert failed.actions_failed == 1


async def test_a_poison_job_is_set_aside_with_a_result(engine: Engines) -> None:
    """After so many tries."""
    poison = await engine.retried()
    with engine.running('  throw new RangeError("a tenant\'s");\n') as process:
        set_aside = await engine.when(poison, ExecutionStatus.FAILED)
        await asyncio.to_thread(process.end, signal.SIGTERM)

    [kept] = engine.rows("SELECT job, tries FROM engine_jobs WHERE set_aside")
    assert set_aside.error_message == "Set aside after 2 tries: RangeError"
    assert kept["job"]["execution_id"] == str(poison.execution_id)
    assert process.printed == ["a job is left to redelivery: RangeError\n"]


async def test_a_job_is_its_engine_s_as_long_as_it_works(engine: Engines) -> None:
    """Longer than the window after which it would be delivered again."""
    works = f"""\
  fs.appendFileSync(process.env.FOLDER + "/runs", "run ");
  await new Promise((resolve) => setTimeout(resolve, {3000 * WINDOW_S}));
"""
    with engine.running(works), engine.running(works):
        await engine.when(await engine.retried(), ExecutionStatus.COMPLETED)

    assert engine.written("runs") == "run "


async def test_another_engine_runs_what_a_killed_one_had_begun(engine: Engines) -> None:
    """Once its window is over."""
    hangs = """\
  fs.writeFileSync(process.env.FOLDER + "/begun", "yes");
  await new Promise((resolve) => setTimeout(resolve, 600_000));
"""
    execution = await engine.retried()
    with engine.running(hangs) as killed:
        await engine.when_written("begun")
        killed.end(signal.SIGKILL)
    with engine.running():
        await engine.when(execution, ExecutionStatus.COMPLETED)

    assert engine.rows("SELECT tries FROM engine_jobs") == [{"tries": 2}]


@pytest.mark.parametrize("kind", BROKERS)
async def test_engines_of_both_languages_work_side_by_side(
    kind: str, database_url: str, tmp_path: Path
) -> None:
    """On one consumer or group: a job that the one left is done by the other."""
    async with node_engines(kind, database_url) as node:
        python = Engines(kind, node.url, tmp_path, node.world, database_url)
        execution = await node.retried()
        with node.running("  process.exit(1);\n") as process:
            await asyncio.to_thread(process.process.wait)
        with python.running():
            completed = await node.when(execution, ExecutionStatus.COMPLETED)

    assert completed.retry_count == 1


async def test_the_engine_for_redis_trims_its_stream(database_url: str) -> None:
    """When it starts; what was acknowledged goes, but for the last entry."""
    async with node_engines("redis", database_url) as engine:
        for _ in range(2):
            with engine.running() as process:
                for _ in range(3):
                    await engine.when(await engine.retried(), ExecutionStatus.COMPLETED)
                await asyncio.to_thread(process.end, signal.SIGTERM)
        with engine.running() as process:
            await engine.when(await engine.retried(), ExecutionStatus.COMPLETED)
            await asyncio.to_thread(process.end, signal.SIGTERM)
        async with Redis.from_url(engine.url) as redis:
            entries = await redis.xlen("alga-psa:automation:executions")

    assert entries == 2


async def test_trimming_keeps_what_another_group_needs(database_url: str) -> None:
    """From its oldest pending entry on: 9-0, which is before 10-0."""
    stream = "alga-psa:automation:executions"
    async with (
        node_engines("redis", database_url) as engine,
        Redis.from_url(engine.url, decode_responses=True) as redis,
    ):
        for number in range(8, 13):
            await redis.xadd(stream, {"job": "{}"}, id=f"{number}-0")
        for group in ("engines", "audit"):
            await redis.xgroup_create(stream, group, id="0")
            await redis.xreadgroup(group, "reader", {stream: ">"})
        await redis.xack(stream, "engines", *(f"{number}-0" for number in range(8, 13)))
        await redis.xack(stream, "audit", "8-0")
        with engine.running():
            await engine.when(await engine.retried(), ExecutionStatus.COMPLETED)
        entries: Any = await redis.xrange(stream)

    assert [entry for entry, _ in entries[:-1]] == ["9-0", "10-0", "11-0", "12-0"]
