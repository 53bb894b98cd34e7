"""The command `automation-retry`."""

import asyncio
import errno
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn, TypeVar
from uuid import UUID

import click

from automation_retry.adapters.embedded import EmbeddedPostgresError
from automation_retry.application import MessageKind, StorageUnavailable
from automation_retry.application.ports import Backlog, DeadLetter, Directory, Outbox, User
from automation_retry.domain import AUTOMATION_EXECUTE, AUTOMATION_READ
from automation_retry.entrypoints.clock import new_id, utc_now
from automation_retry.entrypoints.container import Container
from automation_retry.entrypoints.demo import run_demo, serve_memory
from automation_retry.entrypoints.lifecycle import (
    migrate_database,
    open_container,
    running_database,
)
from automation_retry.entrypoints.logging import configure_logging
from automation_retry.entrypoints.server import (
    listening_socket,
    relay_until_signalled,
    serve_here,
    serve_in_workers,
)
from automation_retry.entrypoints.settings import (
    Settings,
    SettingsError,
    StorageKind,
    read_settings,
    settings_help,
)

T = TypeVar("T")

_DEAD_LETTERS_SHOWN = 100
_PERMISSIONS = {"execute": AUTOMATION_EXECUTE, "read": AUTOMATION_READ}


class _Command(click.Command):
    """Errors that the user can mend are told in one line."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (SettingsError, EmbeddedPostgresError) as error:
            raise click.ClickException(str(error)) from error
        except StorageUnavailable as error:
            raise click.ClickException(f"PostgreSQL: {error.reason}") from error


class _ServeCommand(_Command):
    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Environment"):
            formatter.write("".join(f"  {line}\n" for line in settings_help().splitlines()))


class _Group(click.Group):
    command_class = _Command


_Group.group_class = _Group


@click.group(cls=_Group)
@click.version_option(package_name="automation-retry")
def main() -> None:
    """Retries failed automation executions.

    DATABASE_URL says where they are: memory:, embedded:PATH or postgresql://… .
    `automation-retry serve --help` lists all settings.
    """
    signal.signal(signal.SIGTERM, _exit_on_sigterm)


def _exit_on_sigterm(*_: object) -> NoReturn:
    # Unwinds, so that an embedded database is stopped on the way out.
    raise SystemExit(128 + signal.SIGTERM)


def _settings() -> Settings:
    settings = read_settings()
    configure_logging(settings.log_format, settings.log_level)
    return settings


def _lasting_settings() -> Settings:
    settings = _settings()
    if settings.database_url.kind is StorageKind.MEMORY:
        raise SettingsError("DATABASE_URL", "memory: ends with this command; name a PostgreSQL")
    return settings


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    try:
        listening = listening_socket(host, port)
    except OSError as error:
        raise click.ClickException(
            f"Cannot listen on {host} port {port}: {error.strerror or error}. "
            "Another --port may be free; 0 takes any that is."
        ) from error
    with listening:
        yield listening


@main.command(cls=_ServeCommand)
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535))
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 256))
def serve(host: str, port: int, workers: int) -> None:
    """Serve the API and relay the outbox."""
    settings = _settings()
    with _listening(host, port) as listening:
        if settings.database_url.kind is StorageKind.MEMORY:
            if workers > 1:
                raise click.UsageError("memory: is one process's memory; --workers must be 1.")
            serve_memory(settings, listening)
            return
        with running_database(settings) as running:
            if settings.database_url.kind is StorageKind.EMBEDDED:
                asyncio.run(migrate_database(running))
            if workers == 1:
                serve_here(running, listening)
            else:
                serve_in_workers(running, listening, workers)


@main.command()
def relay() -> None:
    """Relay the outbox, without the API; any number of relays may run."""
    with running_database(_lasting_settings()) as running:
        asyncio.run(relay_until_signalled(running))


@main.command()
def migrate() -> None:
    """Make or upgrade the tables; does nothing where they are up to date."""
    with running_database(_lasting_settings()) as running:
        applied = asyncio.run(migrate_database(running))
    for name in applied:
        click.echo(f"applied {name}")
    if not applied:
        click.echo("up to date")


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(0, 65535), help="Default: 8000, or any if it is taken.")
@click.option(
    "--data",
    default=Path("var/demo"),
    show_default=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Where its database and keys are kept.",
)
def demo(host: str, port: int | None, data: Path) -> None:
    """Serve a demo tenant: a database of its own, executions, keys and a small engine."""
    if port is None:
        port = _free_or_any(host, 8000)
    with _listening(host, port) as listening:
        run_demo(data, listening)


def _free_or_any(host: str, port: int) -> int:
    try:
        listening_socket(host, port).close()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return 0
        raise click.ClickException(f"Cannot listen on {host}: {error.strerror or error}") from error
    return port


def _with_container(work: Callable[[Container], Awaitable[T]], settings: Settings) -> T:
    async def run() -> T:
        async with open_container(settings) as container:
            return await work(container)

    return asyncio.run(run())


def _in_directory(work: Callable[[Directory], Awaitable[T]]) -> T:
    return _with_container(lambda container: work(container.directory()), _lasting_settings())


@main.group()
def user() -> None:
    """Users of a database of one's own; inside AlgaPSA, AlgaPSA keeps them."""


@user.command("create")
@click.argument("username")
@click.option("--tenant", type=click.UUID, help="Default: a new tenant.")
@click.option("--company", default="Company", show_default=True, help="Name of a new tenant.")
@click.option("--email", default="", help="Default: the user name at localhost.")
@click.option(
    "--may",
    "may",
    multiple=True,
    type=click.Choice(sorted(_PERMISSIONS)),
    default=sorted(_PERMISSIONS),
    show_default=True,
    help="Permission on automation; repeat for several.",
)
def create_user(
    username: str, tenant: UUID | None, company: str, email: str, may: Sequence[str]
) -> None:
    """Make a user, with tenant, role and grants where they are missing."""
    made = _in_directory(
        lambda directory: directory.ensure_user(
            tenant=tenant or new_id(),
            company_name=company,
            username=username,
            email=email or f"{username}@localhost",
            permissions=frozenset(_PERMISSIONS[name] for name in may),
        )
    )
    click.echo(f"tenant  {made.tenant}\nuser    {made.user_id}  {made.username}")


@main.group("api-key")
def api_key() -> None:
    """API keys; the plain key is shown once, when it is made."""


@api_key.command("create")
@click.option("--user", "username", required=True, help="Name of the user that the key acts for.")
@click.option("--tenant", type=click.UUID, help="Needed where several tenants have such a user.")
@click.option("--description")
@click.option("--expires-at", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S%z"]))
@click.option("--usage-limit", type=click.IntRange(1), help="How often the key may be used.")
def create_api_key(
    username: str,
    tenant: UUID | None,
    description: str | None,
    expires_at: datetime | None,
    usage_limit: int | None,
) -> None:
    """Make a key and print it; only its digest is stored."""

    async def create(directory: Directory) -> str:
        return await directory.create_api_key(
            user=_only(await directory.find_user(username, tenant), username),
            description=description,
            expires_at=expires_at.astimezone() if expires_at else None,
            usage_limit=usage_limit,
        )

    click.echo(_in_directory(create))


def _only(users: Sequence[User], username: str) -> User:
    match users:
        case [found]:
            return found
        case []:
            raise click.ClickException(
                f"There is no user {username!r}; "
                f"`automation-retry user create {username}` makes one."
            )
    tenants = ", ".join(str(found.tenant) for found in users)
    raise click.ClickException(f"Several users are named {username!r}; say --tenant: {tenants}.")


@api_key.command("list")
@click.option("--tenant", type=click.UUID, help="Default: all tenants.")
def list_api_keys(tenant: UUID | None) -> None:
    """List the keys, oldest first, without the keys themselves."""
    for key in _in_directory(lambda directory: directory.api_keys(tenant)):
        uses = f"{key.usage_count}/{key.usage_limit}" if key.usage_limit else "unlimited"
        click.echo(
            "  ".join(
                [
                    str(key.api_key_id),
                    "active " if key.active else "revoked",
                    f"tenant {key.tenant}",
                    f"user {key.username}",
                    f"uses {uses}",
                    f"expires {key.expires_at.isoformat() if key.expires_at else 'never'}",
                    f"last used {key.last_used_at.isoformat() if key.last_used_at else 'never'}",
                    key.description or "",
                ]
            ).rstrip()
        )


@api_key.command("revoke")
@click.argument("api_key_id", type=click.UUID)
def revoke_api_key(api_key_id: UUID) -> None:
    """Make a key invalid from now on."""
    if not _in_directory(lambda directory: directory.revoke_api_key(api_key_id)):
        raise click.ClickException(f"There is no API key {api_key_id}.")
    click.echo(f"revoked {api_key_id}")


@main.group()
def outbox() -> None:
    """Messages that still have to reach an engine, and those that an engine refused."""


@outbox.command("status")
def outbox_status() -> None:
    """Show how much waits for each engine and since when, and the dead letters with reasons."""

    async def read(container: Container) -> tuple[Sequence[Backlog], Sequence[DeadLetter]]:
        found: Outbox = container.outbox()
        return await found.backlog(), await found.dead_letters(_DEAD_LETTERS_SHOWN)

    settings = _lasting_settings()
    backlogs, letters = _with_container(read, settings)
    engines = {MessageKind.JOB: settings.job_engine, MessageKind.EVENT: settings.event_engine}
    now = utc_now()
    for backlog in backlogs:
        age = ""
        if backlog.oldest_at:
            age = f", the oldest for {(now - backlog.oldest_at).total_seconds():.0f} s"
        click.echo(
            f"{backlog.kind.value}s for {engines[backlog.kind].value}: "
            f"{backlog.waiting} waiting{age}, {backlog.dead} dead"
        )
    for letter in letters:
        click.echo(
            f"dead {letter.kind.value} {letter.id}  tenant {letter.tenant}  "
            f"execution {letter.execution_id}  attempt {letter.attempt}: {letter.reason}"
        )


@outbox.command("retry-dead")
def outbox_retry_dead() -> None:
    """Hand all dead letters over again, once what was wrong is mended."""

    async def retry(container: Container) -> int:
        count: int = await container.outbox().retry_dead()
        return count

    click.echo(f"{_with_container(retry, _lasting_settings())} messages wait for delivery again")
