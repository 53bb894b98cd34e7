"""The README's engines, run as they stand there, each beside its real broker."""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import nats
import psycopg
from attrs import frozen
from psycopg.rows import dict_row
from redis.asyncio import Redis

from automation_retry.adapters.wire.messages import job_message
from automation_retry.application import ExecutionJob
from automation_retry.domain import Execution, ExecutionStatus
from tests.support.command import Running, running
from tests.support.factories import a_failed_execution
from tests.support.nats_server import running_nats
from tests.support.postgres_server import private_folder
from tests.support.redis_server import running_redis
from tests.support.world import World, running_service
from tests.test_readme import code

BROKERS = ("procrastinate", "redis", "nats")
WINDOW_S = 2
"""So short that tests see redeliveries."""


@contextmanager
def running_broker(kind: str) -> Iterator[str]:
    """The URL of a running broker of that kind, where it is not PostgreSQL itself."""
    match kind:
        case "redis":
            with running_redis() as redis:
                yield redis.url
        case "nats":
            with running_nats() as nats_server:
                yield nats_server.url
        case _:
            yield ""


@frozen
class Engines:
    """What the README's engines for one kind of broker need to run beside a service."""

    kind: str
    url: str
    folder: Path
    """The files of the engines, where they also run."""
    world: World
    database_url: str

    @contextmanager
    def running(self, work: str = "", **variables: str) -> Iterator[Running]:
        """An engine; `work` replaces what the README's automation does, as its body."""
        self.write(work)
        with running(self.program, self.variables | variables) as process:
            yield process

    @property
    def program(self) -> Sequence[str]:
        return [sys.executable, str(self.folder / f"{self.kind}_engine.py")]

    def write(self, work: str) -> None:
        """The files of the program."""
        for name in ("engine.py", f"{self.kind}_engine.py"):
            (self.folder / name).write_text(code("python", f"# {name}\n"), "utf-8")
        automation = code("python", "# automation.py\n")
        if work:
            imports = "import os\nfrom pathlib import Path"
            automation += f"\n\n{imports}\n\n\nasync def work(job):\n{work}"
        (self.folder / "automation.py").write_text(automation, "utf-8")

    @property
    def variables(self) -> dict[str, str]:
        return {
            "DATABASE_URL": self.database_url,
            f"{self.kind.upper()}_URL": self.url,
            "ENGINE_WINDOW_S": str(WINDOW_S),
            "ENGINE_TRIES": "2",
            "FOLDER": str(self.folder),
        }

    async def retried(self, **changes: Any) -> Execution:
        """A failed execution after its retry, as the answer to it shows."""
        failed = await self.world.add(a_failed_execution(tenant=self.world.tenant, **changes))
        answer = await self.world.retry(failed.execution_id, await self.world.key())
        assert answer.status_code == 200
        return failed

    async def when(self, execution: Execution, status: ExecutionStatus) -> Execution:
        """The execution once it has that status."""
        executions = self.world.storage.executions
        async with asyncio.timeout(90):
            while True:
                found = await executions.get(execution.tenant, execution.execution_id)
                if found.status is status:
                    return found
                await asyncio.sleep(0.05)

    async def when_written(self, name: str) -> str:
        """The text of a file that an engine writes, once it is there."""
        async with asyncio.timeout(90):
            while True:
                if text := self.written(name):
                    return text
                await asyncio.sleep(0.05)

    def written(self, name: str) -> str:
        """Empty while there is no such file."""
        path = self.folder / name
        return path.read_text("utf-8") if path.exists() else ""

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

    async def events(self) -> int:
        """How many events are with the broker."""
        match self.kind:
            case "redis":
                async with Redis.from_url(self.url) as redis:
                    stream = "alga-psa:event-stream:global:automation.execution.retried"
                    return int(await redis.xlen(stream))
            case "nats":
                client = await nats.connect(self.url)
                streams = await client.jetstream().streams_info()
                await client.close()
                return sum(
                    stream.state.messages
                    for stream in streams
                    if stream.config.name == "AUTOMATION_EVENTS"
                )
            case _:
                queued = "SELECT FROM procrastinate_jobs WHERE queue_name = 'automation.events'"
                return len(self.rows(queued))

    def rows(self, statement: str) -> list[dict[str, Any]]:
        with psycopg.connect(self.database_url, row_factory=dict_row) as connection:
            return connection.execute(statement.encode()).fetchall()


def apply(database_url: str, statements: str) -> None:
    """Executes a block of SQL, as `psql` does with a file."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(statements.encode())


@asynccontextmanager
async def engines(
    kind: str,
    database_url: str,
    *,
    settings: Mapping[str, str] | None = None,
    written_in: type[Engines] = Engines,
) -> AsyncIterator[Engines]:
    """A service with that broker for jobs and events, and the engines' files."""
    with private_folder() as folder, running_broker(kind) as url:
        variables = {
            "DATABASE_URL": database_url,
            "AUTOMATION_RETRY_JOB_QUEUE": kind,
            "AUTOMATION_RETRY_EVENT_BUS": kind,
            f"AUTOMATION_RETRY_{kind.upper()}_URL": url,
        }
        async with running_service({**variables, **(settings or {})}) as world:
            yield written_in(kind, url, folder, world, database_url)


def create_engine_tables(database_url: str) -> None:
    """The README's `engine.sql`."""
    apply(database_url, code("sql", "-- engine.sql\n"))
