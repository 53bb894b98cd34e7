"""The memory adapters as tests use them."""

from collections.abc import Callable

from automation_retry.adapters.memory import MemoryStore
from automation_retry.adapters.memory.execution_repository import MemoryExecutionRepository
from automation_retry.adapters.memory.unit_of_work import MemoryUnitOfWork
from automation_retry.adapters.staging import Staged
from automation_retry.adapters.wire.messages import event_message, job_message
from automation_retry.application import MessageKind
from automation_retry.application.ports import ExecutionRepository
from automation_retry.domain import Retry
from tests.support.factories import NOON, RetryWrite
from tests.support.messages import Sent, opened


def unit_of_work(
    store: MemoryStore,
    executions: ExecutionRepository | None = None,
    *,
    on_commit: Callable[[], None] = lambda: None,
    of: type[MemoryUnitOfWork] = MemoryUnitOfWork,
) -> MemoryUnitOfWork:
    """A unit of work on the store that reads through `executions`."""
    return of(store, executions or MemoryExecutionRepository(store), lambda: NOON, on_commit)


def commit(store: MemoryStore, write: RetryWrite) -> None:
    """Commits a retry with its job and its event."""
    messages = [job_message(write.job), event_message(write.event)]
    assert store.commit(Staged([write.retry], messages, {}), NOON).outcome.committed


def commit_silently(store: MemoryStore, retry: Retry) -> None:
    """Commits a retry without messages."""
    assert store.commit(Staged([retry], [], {}), NOON).outcome.committed


def waiting(store: MemoryStore, kind: MessageKind) -> tuple[Sent, ...]:
    """The messages of a kind in the outbox, oldest first."""
    return tuple(opened(one.message) for one in store.messages.waiting(kind))


def dead_letters(store: MemoryStore) -> list[tuple[Sent, str]]:
    """The dead letters with their reasons, oldest first."""
    return [(opened(one.message), one.reason) for one in store.messages.dead_letters]
