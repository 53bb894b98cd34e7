from enum import Enum


class StorageKind(Enum):
    MEMORY = "memory"
    EMBEDDED = "embedded"
    """A PostgreSQL that this service starts itself."""
    POSTGRESQL = "postgresql"


POSTGRESQL = frozenset({StorageKind.EMBEDDED, StorageKind.POSTGRESQL})
EVERY_STORAGE = frozenset(StorageKind)
