"""The storages that `DATABASE_URL` chooses from. A new one is a new package and one line here."""

from collections.abc import Callable, Mapping

from attrs import frozen

from automation_retry.adapters.memory import MemoryStore, memory_storage
from automation_retry.adapters.postgres import Database, postgres_storage
from automation_retry.adapters.storage_kind import POSTGRESQL, StorageKind
from automation_retry.application.ports import Clock, NewId, Storage
from automation_retry.entrypoints.settings import Settings


@frozen(kw_only=True)
class Parts:
    """What storages are built from."""

    settings: Settings
    clock: Clock
    new_id: NewId
    on_commit: Callable[[], None]
    database: Callable[[], Database]
    memory_store: Callable[[], MemoryStore]


def _memory(parts: Parts) -> Storage:
    return memory_storage(
        parts.clock,
        parts.new_id,
        store=parts.memory_store(),
        on_commit=parts.on_commit,
        kinds=parts.settings.kinds,
    )


def _postgresql(parts: Parts) -> Storage:
    settings = parts.settings
    return postgres_storage(
        parts.database(),
        new_id=parts.new_id,
        on_commit=parts.on_commit,
        kinds=settings.kinds,
        hand_over=settings.hand_over,
        payload_limit=settings.payload_limit_bytes,
        by_tenant=settings.statements_by_tenant,
    )


STORAGES: Mapping[StorageKind, Callable[[Parts], Storage]] = {
    StorageKind.MEMORY: _memory,
    **dict.fromkeys(POSTGRESQL, _postgresql),
}


def new_storage(parts: Parts) -> Storage:
    """The storage that the settings choose, closed."""
    return STORAGES[parts.settings.database_url.kind](parts)
