"""The README's engines, run as they stand there, each against its real broker."""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from uuid import UUID

import nats
import psycopg
import pytest
from attrs import frozen
from redis.asyncio import Redis

from automation_retry.adapters.wire.messages import job_message
from automation_retry.application import ExecutionJob
from automation_retry.domain import Execution, ExecutionStatus
from tests.support.command import running
from tests.support.factories import a_failed_execution, a_job
from tests.support.nats_server import running_nats
from tests.support.postgres_server import private_folder
from tests.support.redis_server import running_redis
from tests.support.world import World, running_service
from tests.test_readme import code


@contextmanager
def broker(engine: str) -> Iterator[str]:
    """The URL of a running broker of that kind, where it is not PostgreSQL itself."""
    match engine:
        case "redis":
            with running_redis() as redis:
                yield redis.url
        case "nats":
            with running_nats() as nats_server:
                yield nats_server.url
        case _:
            yield ""


@frozen
class Engine:
    """The README's engine for one kind of broker, running beside a service."""

    kind: str
    url: str
    world: World
    database_url: str

    async def when(self, execution: Execution, status: ExecutionStatus) -> Execution:
        """The execution once it has that status."""
        executions = self.world.storage.executions
        async with asyncio.timeout(60):
            while True:
                found = await executions.get(execution.tenant, execution.execution_id)
                if found.status is status:
                    return found
                await asyncio.sleep(0.05)

    async def send(self, job: ExecutionJob) -> None:
        """Puts a job into the broker past every guard against doing so twice."""
        message = job_message(job)
        body = message.body.encode()
        match self.kind:
            case "redis":
                async with Redis.from_url(self.url) as redis:
                    await redis.xadd("alga-psa:automation:executions", {"job": body})
            case "nats":
                client = await nats.connect(self.url)
                await client.jetstream().publish(f"automation.executions.{message.tenant}", body)
                await client.close()
            case _:
                await self.world.container.brokers().jobs.broker.send([message])

    def handled(self) -> set[UUID]:
        with psycopg.connect(self.database_url) as connection:
            rows = connection.execute("SELECT id FROM engine_handled").fetchall()
        return {row[0] for row in rows}


@pytest.fixture(params=["procrastinate", "redis", "nats"])
async def engine(request: pytest.FixtureRequest, database_url: str) -> AsyncIterator[Engine]:
    kind = str(request.param)
    with private_folder() as folder, broker(kind) as url:
        for name in ("engine.py", f"{kind}_engine.py"):
            (folder / name).write_text(code("python", f"# {name}\n"), "utf-8")
        variables = {
            "DATABASE_URL": database_url,
            "AUTOMATION_RETRY_JOB_QUEUE": kind,
            "AUTOMATION_RETRY_EVENT_BUS": kind,
            f"AUTOMATION_RETRY_{kind.upper()}_URL": url,
        }
        async with running_service(variables) as world:
            program = [sys.executable, str(folder / f"{kind}_engine.py")]
            with running(program, {"DATABASE_URL": database_url, f"{kind.upper()}_URL": url}):
                yield Engine(kind, url, world, database_url)


async def test_an_engine_completes_what_was_retried(engine: Engine) -> None:
    """From the call over the outbox and the broker to the result in the table."""
    failed = await engine.world.add(a_failed_execution(tenant=engine.world.tenant))

    answer = await engine.world.retry(failed.execution_id, await engine.world.key())
    completed = await engine.when(failed, ExecutionStatus.COMPLETED)

    assert answer.status_code == 200
    assert completed.retry_count == 1
    assert completed.actions_successful == completed.actions_total


async def test_an_engine_reports_once_and_only_for_its_attempt(engine: Engine) -> None:
    """A job that comes twice is handled once; one of an old attempt changes nothing."""
    tenant = engine.world.tenant
    first, fenced, last = [
        await engine.world.add(
            a_failed_execution(
                tenant=tenant,
                status=ExecutionStatus.PENDING,
                completed_at=None,
                actions_successful=0,
                actions_failed=0,
                retry_count=2,
            )
        )
        for _ in range(3)
    ]
    job, old, after = [
        a_job(tenant=tenant, execution_id=one.execution_id, attempt=attempt)
        for one, attempt in ((first, 2), (fenced, 1), (last, 2))
    ]
    await engine.send(job)
    completed = await engine.when(first, ExecutionStatus.COMPLETED)

    await engine.send(job)
    await engine.send(old)
    await engine.send(after)
    await engine.when(last, ExecutionStatus.COMPLETED)

    executions = engine.world.storage.executions
    assert await executions.get(tenant, first.execution_id) == completed
    assert await executions.get(tenant, fenced.execution_id) == fenced
    assert engine.handled() == {job.id, after.id}
