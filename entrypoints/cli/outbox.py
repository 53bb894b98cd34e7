from collections.abc import Mapping, Sequence
from typing import Any

import click
from attrs import frozen

from automation_retry.application import MessageKind
from automation_retry.application.ports import Backlog, DeadLetter, DeliveryStatus, Storage
from automation_retry.entrypoints.cli.output import json_option, print_json, print_line
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
@json_option
def status(*, as_json: bool) -> None:
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
    if as_json:
        print_json(_json(found, brokers))
    else:
        _print(found, brokers)


def _print(found: _Outbox, brokers: Mapping[MessageKind, str]) -> None:
    now = utc_now()
    for backlog in found.backlogs:
        age = ""
        if backlog.oldest_at:
            age = f", the oldest for {(now - backlog.oldest_at).total_seconds():.0f} s"
        print_line(
            f"{backlog.kind.value}s for {brokers[backlog.kind]}: "
            f"{backlog.waiting} waiting{age}, {backlog.dead} dead"
        )
        if failure := found.statuses[backlog.kind].failure:
            print_line(f"  not delivered {failure.age_s:.0f} s ago: {failure.reason}")
    for letter in found.letters:
        message = letter.message
        print_line(
            f"dead {message.kind.value} {message.id}",
            f"tenant {message.tenant}",
            f"execution {message.execution_id}",
            f"attempt {message.attempt}: {letter.reason}",
        )


def _json(found: _Outbox, brokers: Mapping[MessageKind, str]) -> dict[str, Any]:
    failures = {kind: one.failure for kind, one in found.statuses.items()}
    return {
        "backlogs": [
            {
                "kind": one.kind.value,
                "broker": brokers[one.kind],
                "waiting": one.waiting,
                "oldest_at": one.oldest_at,
                "dead": one.dead,
                "failure": (failure := failures.get(one.kind))
                and {"age_s": failure.age_s, "reason": failure.reason},
            }
            for one in found.backlogs
        ],
        "dead_letters": [
            {
                "kind": one.message.kind.value,
                "id": one.message.id,
                "tenant": one.message.tenant,
                "execution_id": one.message.execution_id,
                "attempt": one.message.attempt,
                "reason": one.reason,
            }
            for one in found.letters
        ],
    }


@outbox.command("retry-dead")
@json_option
def retry_dead(*, as_json: bool) -> None:
    """Send all dead letters again, once their cause is fixed."""
    count = with_storage(durable_settings(), lambda storage: storage.outbox.redrive())
    if as_json:
        print_json({"redriven": count})
    else:
        print_line(f"{count} messages wait for delivery again")
