import os
import signal
from typing import Any, NoReturn

import click

from automation_retry.adapters.embedded import EmbeddedPostgresError
from automation_retry.application import SchemaRefused, StorageFailed, StorageUnavailable
from automation_retry.entrypoints.cli.identity import api_key, user
from automation_retry.entrypoints.cli.outbox import outbox
from automation_retry.entrypoints.cli.serve import demo, migrate, relay, serve
from automation_retry.entrypoints.settings import SettingsError


class _Main(click.Group):
    """Reports the errors that a user can fix in one line, for all commands."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (SettingsError, EmbeddedPostgresError) as error:
            raise click.ClickException(str(error)) from error
        except StorageUnavailable as error:
            raise click.ClickException(f"PostgreSQL: {error.reason}") from error
        except (SchemaRefused, StorageFailed) as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=_Main)
@click.version_option(package_name="automation-retry")
def main() -> None:
    """Retries failed automation executions.

    DATABASE_URL says where they are: memory:, embedded:PATH or postgresql://… .
    `automation-retry serve --help` lists all settings.
    """
    _occupy_standard_descriptors()
    signal.signal(signal.SIGTERM, _exit_on_sigterm)


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
