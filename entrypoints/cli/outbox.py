from collections.abc import Mapping, Sequence

import click
from attrs import frozen

from automation_retry.application import MessageKind
from automation_retry.application.ports import Backlog, DeadLetter, DeliveryStatus, Storage
from automation_retry.entrypoints.cli.storage import durable_settings, with_storage
from automation_retry.entrypoints.clock import utc_now

_DEAD_LETTERS_SHOWN = 100


@click.group()
def outbox() -> None:
    """Messages that still have to reach a broker, and those that a broker refused."""


@frozen
class _Outbox:
    """What `outbox status` shows."""

    backlogs: Sequence[Backlog]
    statuses: Mapping[MessageKind, DeliveryStatus]
    letters: Sequence[DeadLetter]


@outbox.command("status")
def status() -> None:
    """Show what waits for each broker, since when and why, and the dead letters with reasons."""

    async def read(storage: Storage) -> _Outbox:
        outbox = storage.outbox
        return _Outbox(
            await outbox.backlog(),
            {one.kind: one for one in await outbox.status()},
            await outbox.dead_letters(_DEAD_LETTERS_SHOWN),
        )

    settings = durable_settings()
    found = with_storage(settings, read)
    brokers = {MessageKind.JOB: settings.job_broker, MessageKind.EVENT: settings.event_broker}
    now = utc_now()
    for backlog in found.backlogs:
        age = ""
        if backlog.oldest_at:
            age = f", the oldest for {(now - backlog.oldest_at).total_seconds():.0f} s"
        click.echo(
            f"{backlog.kind.value}s for {brokers[backlog.kind]}: "
            f"{backlog.waiting} waiting{age}, {backlog.dead} dead"
        )
        if failure := found.statuses[backlog.kind].failure:
            click.echo(f"  not delivered {failure.age_s:.0f} s ago: {failure.reason}")
    for letter in found.letters:
        message = letter.message
        click.echo(
            f"dead {message.kind.value} {message.id}  tenant {message.tenant}  "
            f"execution {message.execution_id}  attempt {message.attempt}: {letter.reason}"
        )


@outbox.command("retry-dead")
def retry_dead() -> None:
    """Send all dead letters again, once their cause is fixed."""
    count = with_storage(durable_settings(), lambda storage: storage.outbox.redrive())
    click.echo(f"{count} messages wait for delivery again")
