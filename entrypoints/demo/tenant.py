"""The demo's tenant and its API keys, kept in a file beside its data."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import click
import orjson
from attrs import asdict, field, frozen
from attrs.validators import matches_re

from automation_retry.adapters.api_keys import new_api_key
from automation_retry.adapters.embedded import (
    explained,
    is_plain,
    make_parents,
    open_owned,
    remove_unfinished,
    replace_text,
    shown,
)
from automation_retry.entrypoints.clock import new_id
from automation_retry.entrypoints.demo.ending import Ending, say

_KEY = re.compile(r"ar_[\w-]{20,100}", re.ASCII)
_LOCK = "start.lock"


@frozen(kw_only=True)
class DemoTenant:
    """The tenant and the keys of its two users."""

    tenant: UUID = field(factory=new_id)
    operator_key: str = field(factory=new_api_key, validator=matches_re(_KEY))
    """May retry and read."""
    viewer_key: str = field(factory=new_api_key, validator=matches_re(_KEY))
    """May only read."""


@contextmanager
def starting_in(folder: Path, ending: Ending) -> Iterator[None]:
    """Creates the folder, and lets one demo at a time start in it.

    Raises:
        click.ClickException: the folder cannot be written; the message says what to do.
        KeyboardInterrupt: a signal came while another demo was starting.
    """
    import fcntl  # noqa: PLC0415 - absent on Windows, where the command must load

    with _refusing(folder):
        if not is_plain(str(folder)):
            raise OSError(None, "it has control characters or is not valid UTF-8")
        make_parents(folder / "any")
        descriptor = open_owned(folder / _LOCK, os.O_RDWR)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"Waiting for another demo that is starting in {shown(folder)} …")
            with ending.interrupting():
                fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def kept_tenant(folder: Path) -> DemoTenant:
    """The folder's tenant, made at the first start; only one demo may be starting in the folder.

    A file that is not such a tenant is set aside, and a new tenant is made.

    Raises:
        click.ClickException: the folder or the file cannot be used; the message says what to do.
    """
    file = folder / "tenant.json"
    with _refusing(folder):
        remove_unfinished(folder)
        try:
            return _tenant_of(orjson.loads(file.read_bytes()))
        except FileNotFoundError:
            pass
        except (LookupError, TypeError, ValueError):
            aside = _free_name(folder)
            file.rename(aside)
            say(
                f"{shown(file)} holds no keys of a demo and is now {aside.name}: "
                "the demo gets new keys and new executions."
            )
        tenant = DemoTenant()
        replace_text(file, orjson.dumps(asdict(tenant)).decode(), mode=0o600)
    return tenant


def _tenant_of(kept: Any) -> DemoTenant:
    return DemoTenant(
        tenant=UUID(kept["tenant"]),
        operator_key=kept["operator_key"],
        viewer_key=kept["viewer_key"],
    )


def _free_name(folder: Path) -> Path:
    number = 1
    while (aside := folder / f"tenant.unreadable-{number}.json").exists():
        number += 1
    return aside


@contextmanager
def _refusing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise click.ClickException(
            f"The demo cannot keep its data in {shown(folder)}: {explained(error)} (--data)."
        ) from error
