"""A PostgreSQL server from a Python wheel: durable, private, with nothing else to install."""

from automation_retry.adapters.embedded.account import enterable_path
from automation_retry.adapters.embedded.errors import (
    AccountUnavailable,
    DataVersionMismatch,
    EmbeddedPostgresError,
    EmbeddedPostgresMissing,
    FolderRefused,
    PathNotEnterable,
    PlatformUnsupported,
    ProgramFailed,
    ServerUnusable,
    explained,
    is_plain,
    shown,
)
from automation_retry.adapters.embedded.files import (
    make_parents,
    open_owned,
    remove_unfinished,
    replace_text,
)
from automation_retry.adapters.embedded.server import EmbeddedPostgres

__all__ = [
    "AccountUnavailable",
    "DataVersionMismatch",
    "EmbeddedPostgres",
    "EmbeddedPostgresError",
    "EmbeddedPostgresMissing",
    "FolderRefused",
    "PathNotEnterable",
    "PlatformUnsupported",
    "ProgramFailed",
    "ServerUnusable",
    "enterable_path",
    "explained",
    "is_plain",
    "make_parents",
    "open_owned",
    "remove_unfinished",
    "replace_text",
    "shown",
]
