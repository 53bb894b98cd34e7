import errno
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import click

from automation_retry.adapters.embedded import EmbeddedPostgresError
from automation_retry.adapters.printable import printable
from automation_retry.application import SchemaRefused, StorageFailed, StorageUnavailable
from automation_retry.entrypoints.cli.api_keys import api_key
from automation_retry.entrypoints.cli.outbox import outbox
from automation_retry.entrypoints.cli.serve import demo, migrate, relay, serve
from automation_retry.entrypoints.cli.users import user
from automation_retry.entrypoints.settings import SettingsError

_READ_ONLY = "read-only transaction"


class _Main(click.Group):
    """Reports the errors that a user can fix in one line, for all commands."""

    def main(self, *arguments: Any, **options: Any) -> Any:
        try:
            return super().main(*arguments, **options)
        except OSError as error:  # while a script for completion is printed
            sys.exit(f"Error: {_described(error)}")

    def make_context(self, *arguments: Any, **options: Any) -> click.Context:
        with _one_line_errors():
            return super().make_context(*arguments, **options)

    def invoke(self, ctx: click.Context) -> Any:
        with _one_line_errors():
            return super().invoke(ctx)


@contextmanager
def _one_line_errors() -> Iterator[None]:
    try:
        yield
    except click.ClickException as error:
        vars(error).update(message=printable(error.message))
        raise
    except (SettingsError, EmbeddedPostgresError, SchemaRefused, StorageFailed) as error:
        raise click.ClickException(printable(str(error))) from error
    except StorageUnavailable as error:
        remedy = "; name the primary in DATABASE_URL" if _READ_ONLY in error.reason else ""
        raise click.ClickException(printable(f"PostgreSQL: {error.reason}{remedy}")) from error
    except OSError as error:
        if error.errno == errno.EPIPE:
            raise  # whoever read the output has ended
        raise click.ClickException(printable(_described(error))) from error


def _described(error: OSError) -> str:
    reason = error.strerror or str(error)
    if error.filename:
        return f"{error.filename}: {reason}"
    if error.errno == errno.ENOSPC:
        # What is still buffered would fail again when the process ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return f"Cannot write the output: {reason}"
    return reason


@click.group(cls=_Main)
@click.version_option(package_name="automation-retry")
def main() -> None:
    """Retries failed automation executions.

    DATABASE_URL says where they are: memory:, embedded:PATH or postgresql://… .
    `automation-retry serve --help` lists all settings.
    """
    _occupy_standard_descriptors()
    signal.signal(signal.SIGTERM, _exit_on_sigterm)
    for number in (signal.SIGHUP, signal.SIGQUIT):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as it is by nohup
            signal.signal(number, lambda *_: signal.raise_signal(signal.SIGTERM))


def _occupy_standard_descriptors() -> None:
    """Opens /dev/null for those that are closed: a socket with number 2 would receive the log."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def _exit_on_sigterm(*_: object) -> NoReturn:
    # Unwinds the stack, so that an embedded database is stopped on the way out.
    raise SystemExit(128 + signal.SIGTERM)


for _command in (serve, relay, migrate, demo, user, api_key, outbox):
    main.add_command(_command)
