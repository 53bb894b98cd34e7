from collections.abc import Callable, Collection
from functools import partial

from automation_retry.adapters.always_ready import AlwaysReady
from automation_retry.adapters.memory.authenticator import MemoryAuthenticator
from automation_retry.adapters.memory.directory import MemoryDirectory
from automation_retry.adapters.memory.execution_queries import MemoryExecutionQueries
from automation_retry.adapters.memory.execution_repository import MemoryExecutionRepository
from automation_retry.adapters.memory.idempotency_keys import MemoryIdempotencyKeys
from automation_retry.adapters.memory.kept_answers import MemoryKeptAnswers
from automation_retry.adapters.memory.outbox import MemoryOutbox
from automation_retry.adapters.memory.store import MemoryStore
from automation_retry.adapters.memory.unit_of_work import MemoryUnitOfWork
from automation_retry.adapters.no_tables import NoTables
from automation_retry.application import MessageKind
from automation_retry.application.ports import Clock, NewId, Storage


def memory_storage(
    clock: Clock,
    new_id: NewId,
    *,
    store: MemoryStore | None = None,
    on_commit: Callable[[], None] = lambda: None,
    kinds: Collection[MessageKind] = frozenset(MessageKind),
) -> Storage:
    """A storage in this process.

    `on_commit` is called after each commit that wrote messages; only those of `kinds` are written.
    """
    kept = store or MemoryStore()
    executions = MemoryExecutionRepository(kept)
    lifecycle = AlwaysReady()
    return Storage(
        executions=executions,
        queries=MemoryExecutionQueries(kept),
        new_unit_of_work=partial(MemoryUnitOfWork, kept, executions, clock, on_commit, kinds),
        outbox=MemoryOutbox(kept, clock),
        idempotency_keys=MemoryIdempotencyKeys(kept.answers),
        kept_answers=MemoryKeptAnswers(kept, clock),
        authenticator=MemoryAuthenticator(kept, clock),
        directory=MemoryDirectory(kept, clock, new_id),
        lifecycle=lifecycle,
        schema=NoTables(),
        readiness=lifecycle,
    )
