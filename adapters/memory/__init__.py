"""Every port in this process's memory: complete, and gone with the process.

Made for the tasks of one event loop, not for threads.
"""

from adapters.memory.answers import MemoryIdempotencyKeys
from adapters.memory.authenticator import MemoryAuthenticator
from adapters.memory.delivery import MemoryBus, MemoryQueue
from adapters.memory.directory import MemoryDirectory
from adapters.memory.execution_repository import MemoryExecutionRepository
from adapters.memory.identities import Identities
from adapters.memory.outbox import MemoryClaim, MemoryOutbox
from adapters.memory.readiness import MemoryReadiness
from adapters.memory.store import MemoryStore
from adapters.memory.unit_of_work import MemoryUnitOfWork
from adapters.memory.waiting_messages import DeadLetter, WaitingMessages

__all__ = [
    "DeadLetter",
    "Identities",
    "MemoryAuthenticator",
    "MemoryBus",
    "MemoryClaim",
    "MemoryDirectory",
    "MemoryExecutionRepository",
    "MemoryIdempotencyKeys",
    "MemoryOutbox",
    "MemoryQueue",
    "MemoryReadiness",
    "MemoryStore",
    "MemoryUnitOfWork",
    "WaitingMessages",
]
