"""A storage and a broker in this process's memory: complete, and gone with the process.

For the tasks of one event loop, not for threads.
"""

from automation_retry.adapters.broker_type import BrokerType
from automation_retry.adapters.memory.broker import NAME, MemoryBroker, memory_broker
from automation_retry.adapters.memory.storage import memory_storage
from automation_retry.adapters.memory.store import MemoryStore
from automation_retry.adapters.storage_kind import StorageKind

BROKER = BrokerType(
    name=NAME,
    storages=frozenset([StorageKind.MEMORY]),
    new=lambda _variables, _storage, _kinds: memory_broker(),
)

__all__ = ["BROKER", "MemoryBroker", "MemoryStore", "memory_broker", "memory_storage"]
