"""Types of arguments: each refuses blank, unprintable or impossible values."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from automation_retry.adapters.printable import printable
from automation_retry.entrypoints.clock import utc_now

_MAX_LENGTH = 255
MOST_USES = 2**31 - 1
"""The largest value of AlgaPSA's column `api_keys.usage_limit`."""


def text(value: str) -> str:
    """A text of 1 to 255 characters without control characters; surrounding spaces are removed."""
    stripped = value.strip()
    if not stripped:
        raise click.BadParameter("must not be blank.")
    if len(stripped) > _MAX_LENGTH:
        raise click.BadParameter(f"must not be longer than {_MAX_LENGTH} characters.")
    if printable(stripped) != stripped:
        raise click.BadParameter(f"must be UTF-8 without control characters, not {stripped!r}.")
    return stripped


def folder(value: str) -> Path:
    """The path of a folder that may not exist yet."""
    if not value:
        raise click.BadParameter("must not be blank.")
    return Path(value)


class FutureTime(click.DateTime):
    """A time in the future; one without a zone is local."""

    name = "time"

    def __init__(self) -> None:
        super().__init__(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"])

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        given: datetime = super().convert(value, param, ctx)
        try:
            time = given.astimezone(UTC)
        except (OverflowError, OSError, ValueError):  # of the first or last day of all
            self.fail(f"{value!r} is out of range.", param, ctx)
        if time <= utc_now():
            self.fail(f"{value!r} is in the past.", param, ctx)
        return time


FUTURE_TIME = FutureTime()
