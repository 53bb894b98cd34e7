"""Every port in this process's memory: complete, and gone with the process.

Made for the tasks of one event loop, not for threads.
"""

from automation_retry.adapters.memory.answers import MemoryIdempotencyKeys
from automation_retry.adapters.memory.authenticator import MemoryAuthenticator
from automation_retry.adapters.memory.delivery import MemoryBus, MemoryQueue
from automation_retry.adapters.memory.directory import MemoryDirectory
from automation_retry.adapters.memory.execution_repository import MemoryExecutionRepository
from automation_retry.adapters.memory.identities import Identities
from automation_retry.adapters.memory.outbox import MemoryClaim, MemoryOutbox
from automation_retry.adapters.memory.readiness import MemoryReadiness
from automation_retry.adapters.memory.store import MemoryStore
from automation_retry.adapters.memory.unit_of_work import MemoryUnitOfWork
from automation_retry.adapters.memory.waiting_messages import DeadLetter, WaitingMessages

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
