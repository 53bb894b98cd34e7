"""A PostgreSQL of our own from its wheel: durable, private, and without a database to install."""

from adapters.embedded.account import enterable_path
from adapters.embedded.errors import (
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
from adapters.embedded.server import EmbeddedPostgres

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
