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
]
