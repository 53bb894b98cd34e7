import asyncio
import errno
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from automation_retry.adapters.printable import printable
from automation_retry.entrypoints.cli.output import (
    json_option,
    print_completely,
    print_json,
    print_line,
)
from automation_retry.entrypoints.cli.parameters import folder, text
from automation_retry.entrypoints.cli.storage import configured_settings, durable_settings
from automation_retry.entrypoints.demo import run_demo, serve_memory
from automation_retry.entrypoints.lifecycle import (
    migrate_database,
    migration_script,
    running_database,
)
from automation_retry.entrypoints.server import (
    listening_socket,
    relay_until_signalled,
    serve_here,
    serve_in_workers,
)
from automation_retry.entrypoints.settings import ROOT_PATH, StorageKind, settings_help
from automation_retry.entrypoints.stop import Stop


class _ServeCommand(click.Command):
    """Lists the environment variables in its help."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Environment"):
            formatter.write("".join(f"  {line}\n" for line in settings_help().splitlines()))


@click.command(cls=_ServeCommand)
@click.option("--host", default="127.0.0.1", show_default=True, type=text)
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535))
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 256))
@click.option("--root-path", help="Instead of AUTOMATION_RETRY_ROOT_PATH.")
def serve(host: str, port: int, workers: int, root_path: str | None) -> None:
    """Serve the API and relay the outbox."""
    settings = configured_settings({} if root_path is None else {ROOT_PATH: root_path})
    with _listening(host, port) as listening:
        if settings.database_url.kind is StorageKind.MEMORY:
            if workers > 1:
                raise click.UsageError("memory: is one process's memory; --workers must be 1.")
            serve_memory(settings, listening)
            return
        stop = Stop(settings.shutdown_grace_s)
        with running_database(settings, stop) as running:
            if settings.database_url.kind is StorageKind.EMBEDDED:
                asyncio.run(migrate_database(running))
            if workers == 1:
                serve_here(running, listening, stop=stop)
            else:
                serve_in_workers(running, listening, workers, stop=stop)


@click.command()
def relay() -> None:
    """Relay the outbox, without the API; any number of relays may run."""
    settings = durable_settings()
    stop = Stop(settings.shutdown_grace_s)
    with running_database(settings, stop) as running:
        asyncio.run(relay_until_signalled(running, stop))


@click.command()
@click.option("--dry-run", is_flag=True, help="Print the SQL for psql, and change nothing.")
@json_option
def migrate(*, dry_run: bool, as_json: bool) -> None:
    """Create or upgrade the tables; does nothing where they are up to date."""
    settings = durable_settings()
    told: list[str] = []

    def tell(line: str) -> None:
        told.append(line)
        print_line(line, err=as_json)

    with running_database(settings, Stop(settings.shutdown_grace_s)) as running:
        if dry_run:
            script = asyncio.run(migration_script(running))
        else:
            applied = asyncio.run(migrate_database(running, tell))
    if dry_run and as_json:
        print_json({"sql": script or None})
    elif dry_run:
        print_completely(script.rstrip() or "-- up to date")
    elif as_json:
        print_json({"applied": [*applied]})
    elif not told:
        print_line("up to date")


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, type=text)
@click.option("--port", type=click.IntRange(0, 65535), help="Default: 8000, or any if it is taken.")
@click.option(
    "--data",
    default=Path("var/demo"),
    show_default=True,
    type=folder,
    help="Where its database and keys are kept.",
)
def demo(host: str, port: int | None, data: Path) -> None:
    """Serve a demo tenant: a database of its own, executions, keys and a small engine."""
    with _listening(host, port, _demo_socket) as listening:
        run_demo(data, listening)


@contextmanager
def _listening(
    host: str,
    port: int | None,
    open_socket: Callable[[str, Any], socket.socket] = listening_socket,
) -> Iterator[socket.socket]:
    try:
        listening = open_socket(host, port)
    except (OSError, TypeError, UnicodeError) as error:  # the latter of what is no name
        where = printable(host) + ("" if port is None else f" port {port}")
        of_port = isinstance(error, OSError) and error.errno in (errno.EADDRINUSE, errno.EACCES)
        remedy = (
            "Choose another --port; 0 selects a free one"
            if of_port
            else "--host must be an address of this machine, such as 127.0.0.1"
        )
        reason = getattr(error, "strerror", None) or error
        raise click.ClickException(f"Cannot listen on {where}: {reason}. {remedy}.") from error
    with listening:
        yield listening


def _demo_socket(host: str, port: int | None) -> socket.socket:
    """Listens on the port; without one on 8000, or on any port where that is taken."""
    try:
        return _listening_at_once(host, 8000 if port is None else port)
    except OSError as error:
        if port is None and error.errno == errno.EADDRINUSE:
            return _listening_at_once(host, 0)
        raise


def _listening_at_once(host: str, port: int) -> socket.socket:
    """Another process can bind the port of a socket that does not listen yet."""
    listening = listening_socket(host, port)
    try:
        listening.listen()
    except OSError:
        listening.close()
        raise
    return listening
