"""The clock and the source of ids. Everything below the entrypoints is given them as arguments."""

from datetime import UTC, datetime
from uuid import UUID, uuid4  # noqa: TID251 - the one source of ids


def utc_now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - the one clock


def new_id() -> UUID:
    return uuid4()
