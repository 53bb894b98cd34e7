from pathlib import Path

from attrs import frozen

from automation_retry.adapters.postgres.url import check_url
from automation_retry.adapters.storage_kind import StorageKind

FORMS = (
    "must be `memory:` (nothing is kept), `embedded:PATH` (a PostgreSQL of its own under PATH) "
    "or `postgresql://USER:PASSWORD@HOST/DATABASE`"
)


@frozen
class DatabaseUrl:
    """Which storage, and where. The text may hold a password, so its repr does not show it."""

    kind: StorageKind
    text: str

    def __repr__(self) -> str:
        return f"DatabaseUrl({self.kind.value})"

    @property
    def path(self) -> Path:
        """The folder of an embedded PostgreSQL."""
        return Path(self.text.removeprefix("embedded:"))


def database_url(text: str) -> DatabaseUrl:
    """Raises ValueError for a text of none of the three forms, or a malformed URL."""
    scheme, colon, rest = text.partition(":")
    text = f"{scheme.lower()}{colon}{rest}"
    if text == "memory:":
        return DatabaseUrl(StorageKind.MEMORY, text)
    if text.startswith("embedded:") and text != "embedded:":
        return DatabaseUrl(StorageKind.EMBEDDED, text)
    if text.startswith(("postgresql://", "postgres://")):
        check_url(text)
        return DatabaseUrl(StorageKind.POSTGRESQL, text)
    raise ValueError(FORMS)
