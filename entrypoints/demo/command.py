import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import click
import orjson
from attrs import asdict, define, field, frozen

from automation_retry.adapters.api_keys import new_api_key
from automation_retry.adapters.embedded import enterable_path
from automation_retry.application import ExecutionNotFound, MessageKind
from automation_retry.application.ports import Directory, ExecutionRepository
from automation_retry.domain import AUTOMATION_EXECUTE, AUTOMATION_READ, ExecutionStatus
from automation_retry.entrypoints.clock import new_id, utc_now
from automation_retry.entrypoints.container import Container
from automation_retry.entrypoints.demo.consumers import consuming
from automation_retry.entrypoints.demo.engine import DemoEngine, log_event
from automation_retry.entrypoints.demo.executions import COUNT, execution, execution_id, executions
from automation_retry.entrypoints.lifecycle import migrate_database, running_database
from automation_retry.entrypoints.logging import configure_logging
from automation_retry.entrypoints.server import address_of, serve_here
from automation_retry.entrypoints.settings import PREFIX, Settings, read_settings
from automation_retry.entrypoints.stop import Stop


@frozen(kw_only=True)
class DemoTenant:
    """The demo's tenant and its API keys; stored beside its data, so that they outlive a start."""

    tenant: UUID = field(factory=new_id)
    operator_key: str = field(factory=new_api_key)
    """May retry and read."""
    viewer_key: str = field(factory=new_api_key)
    """May only read."""


def run_demo(data: Path, listening: socket.socket) -> None:
    """Serves the demo from what is under `data` until SIGINT or SIGTERM.

    Raises:
        EmbeddedPostgresError: its database cannot be started; the message says what to do.
    """
    wanted = (data / "postgres").resolve()
    place = enterable_path(wanted)
    settings = read_settings(
        {f"{PREFIX}_LOG_FORMAT": "console", **os.environ, "DATABASE_URL": f"embedded:{place}"}
    )
    configure_logging(settings.log_format, settings.log_level)
    click.echo("Starting PostgreSQL …" + (f" under {place}" if place != wanted else ""))
    tenant = _kept_tenant(data / "tenant.json")
    stop = Stop(settings.shutdown_grace_s)
    with running_database(settings, stop) as running:
        asyncio.run(migrate_database(running))
        demo = _Demo(tenant, listening)
        serve_here(running, listening, stop=stop, surroundings=demo.running, on_started=demo.greet)
    click.echo("The demo has ended; its data are kept.")


def serve_memory(settings: Settings, listening: socket.socket) -> None:
    """Serves from memory, with the demo's tenant: nobody could create a key from outside."""
    demo = _Demo(DemoTenant(), listening)
    stop = Stop(settings.shutdown_grace_s)
    serve_here(settings, listening, stop=stop, surroundings=demo.running, on_started=demo.greet)


def _kept_tenant(file: Path) -> DemoTenant:
    if file.exists():
        kept_values = orjson.loads(file.read_bytes())
        return DemoTenant(**kept_values | {"tenant": UUID(kept_values["tenant"])})
    tenant = DemoTenant()
    file.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as kept:
        kept.write(orjson.dumps(asdict(tenant)))
    return tenant


@define
class _Demo:
    tenant: DemoTenant
    listening: socket.socket
    _failed: UUID | None = field(default=None, init=False)

    @asynccontextmanager
    async def running(self, container: Container) -> AsyncIterator[None]:
        """Creates the tenant where it is missing, and runs its engine beside the service."""
        storage = container.storage()
        await self._create_users(storage.directory)
        self._failed = await self._create_executions(storage.executions)
        engine = DemoEngine(storage.executions, utc_now)
        handlers = {MessageKind.JOB: engine.execute, MessageKind.EVENT: log_event}
        async with consuming(container, handlers):
            yield

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
        address = address_of(self.listening)
        url = f"{address}/api/v1/automation/executions/{self._failed}"
        click.echo(
            f"""
automation-retry is ready at {address}

  operator's key  {self.tenant.operator_key}  may retry and read
  viewer's key    {self.tenant.viewer_key}  may only read

Retry a failed execution:

  curl -X POST {url}/retry -H 'x-api-key: {self.tenant.operator_key}'

See what became of it, and what was archived:

  curl {url} -H 'x-api-key: {self.tenant.operator_key}'
  curl {url}/attempts -H 'x-api-key: {self.tenant.operator_key}'

Ctrl-C ends it.
"""
        )
