import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path
from uuid import UUID

from attrs import define, field

from automation_retry.adapters.embedded import enterable_path
from automation_retry.application import ExecutionNotFound, MessageKind
from automation_retry.application.ports import Directory, ExecutionRepository, Storage
from automation_retry.domain import AUTOMATION_EXECUTE, AUTOMATION_READ, ExecutionStatus
from automation_retry.entrypoints.clock import utc_now
from automation_retry.entrypoints.container import Container
from automation_retry.entrypoints.demo.consumers import consuming
from automation_retry.entrypoints.demo.ending import Ending, say
from automation_retry.entrypoints.demo.engine import DemoEngine, log_event
from automation_retry.entrypoints.demo.executions import COUNT, execution, execution_id, executions
from automation_retry.entrypoints.demo.outage import outage, outage_id
from automation_retry.entrypoints.demo.tenant import DemoTenant, kept_tenant, starting_in
from automation_retry.entrypoints.lifecycle import migrate, opened, running_database
from automation_retry.entrypoints.logging import configure_logging
from automation_retry.entrypoints.server import address_of, serve_here
from automation_retry.entrypoints.settings import PREFIX, Settings, read_settings
from automation_retry.entrypoints.stop import Stop


def run_demo(data: Path, listening: socket.socket) -> None:
    """Serves the demo from what is under `data` until SIGINT, SIGTERM, SIGHUP or SIGQUIT.

    Raises:
        click.ClickException: `data` cannot be written; the message says what to do.
        EmbeddedPostgresError: its database cannot be started; the message says what to do.
        StorageUnavailable: its database stopped while the demo was starting.
    """
    ending = Ending()
    ending.on_signals()
    with suppress(KeyboardInterrupt):
        _run_until_interrupted(data, listening, ending)
    say("The demo has ended; its data are kept.")


def _run_until_interrupted(data: Path, listening: socket.socket, ending: Ending) -> None:
    with ExitStack() as database:
        with starting_in(data, ending):
            wanted = (data / "postgres").resolve()
            place = enterable_path(wanted)
            settings = read_settings(
                {
                    f"{PREFIX}_LOG_FORMAT": "console",
                    **os.environ,
                    "DATABASE_URL": f"embedded:{place}",
                }
            )
            configure_logging(settings.log_format, settings.log_level)
            stop = Stop(settings.shutdown_grace_s)
            say("Starting PostgreSQL …" + (f" under {place}" if place != wanted else ""))
            demo = _Demo(kept_tenant(data), listening, ending)
            with ending.interrupting():
                running = database.enter_context(running_database(settings, stop))
            ending.run(_prepare(demo, running))
        serve_here(running, listening, stop=stop, surroundings=demo.running, on_started=demo.greet)


async def _prepare(demo: "_Demo", settings: Settings) -> None:
    container = Container(settings=settings)
    async with opened(container, relay=False):
        await migrate(container)
        await demo.create(container.storage())


def serve_memory(settings: Settings, listening: socket.socket) -> None:
    """Serves from memory, with the demo's tenant: nobody could create a key from outside."""
    demo = _Demo(DemoTenant(), listening, Ending())
    stop = Stop(settings.shutdown_grace_s)
    serve_here(settings, listening, stop=stop, surroundings=demo.running, on_started=demo.greet)


@define
class _Demo:
    tenant: DemoTenant
    listening: socket.socket
    ending: Ending
    _failed: UUID | None = field(default=None, init=False)

    @asynccontextmanager
    async def running(self, container: Container) -> AsyncIterator[None]:
        """Runs the tenant's engine beside the service; creates the tenant if that was not done."""
        storage = container.storage()
        if self._failed is None:
            await self.create(storage)
        engine = DemoEngine(storage.executions, utc_now)
        handlers = {MessageKind.JOB: engine.execute, MessageKind.EVENT: log_event}
        async with consuming(container, handlers):
            yield

    async def create(self, storage: Storage) -> None:
        """Creates the tenant's users and executions where they are missing."""
        await self._create_users(storage.directory)
        self._failed = await self._create_executions(storage.executions)

    async def _create_users(self, directory: Directory) -> None:
        for username, api_key, permissions in (
            ("operator", self.tenant.operator_key, {AUTOMATION_EXECUTE, AUTOMATION_READ}),
            ("viewer", self.tenant.viewer_key, {AUTOMATION_READ}),
        ):
            user = await directory.ensure_user(
                tenant=self.tenant.tenant,
                company_name="Demo MSP",
                username=username,
                email=f"{username}@demo.example",
                permissions=frozenset(permissions),
            )
            await directory.create_api_key(user=user, description="demo", api_key=api_key)

    async def _create_executions(self, repository: ExecutionRepository) -> UUID:
        """Creates the executions where they are missing; the id of one that is failed now."""
        tenant, now = self.tenant.tenant, utc_now()
        try:
            await repository.get(tenant, outage_id(tenant, 0))
        except ExecutionNotFound:
            await repository.add(list(outage(tenant, now)))
        number = 0
        while True:
            wanted = execution_id(tenant, number)
            try:
                found = await repository.get(tenant, wanted)
            except ExecutionNotFound:
                break
            if found.retryable:
                return wanted
            number += 1
        if number < COUNT:
            await repository.add(list(executions(tenant, now)))
            return execution_id(tenant, 0)
        # All were retried with success in earlier runs: one more, to have something to show.
        await repository.add([execution(tenant, number, ExecutionStatus.FAILED, now)])
        return execution_id(tenant, number)

    def greet(self) -> None:
        """Says how to use it. Where nobody can read that any more, the demo ends."""
        address = address_of(self.listening)
        url = f"{address}/api/v1/automation/executions/{self._failed}"
        said = say(
            f"""
automation-retry is ready at {address}

  operator's key  {self.tenant.operator_key}  may retry and read
  viewer's key    {self.tenant.viewer_key}  may only read

Retry a failed execution:

  curl -X POST {url}/retry -H 'x-api-key: {self.tenant.operator_key}'

See what became of it, and what was archived:

  curl {url} -H 'x-api-key: {self.tenant.operator_key}'
  curl {url}/attempts -H 'x-api-key: {self.tenant.operator_key}'

Find out what failed while a mail server was down:

  curl {address}/api/v1/automation/failure-groups -H 'x-api-key: {self.tenant.operator_key}'

Read the API, and try it, in a browser: {address}/docs

Ctrl-C ends it.
"""
        )
        # A signal may have come before the server listened for it.
        if self.ending.began or not said:
            signal.raise_signal(signal.SIGTERM)
