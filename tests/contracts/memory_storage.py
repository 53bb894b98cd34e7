from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID, uuid4

from attrs import evolve, frozen

from automation_retry.adapters.memory import MemoryStore, memory_storage
from automation_retry.adapters.memory.identities import Account
from automation_retry.application import MessageKind
from automation_retry.application.ports import Reservation, User
from automation_retry.domain import Execution, Permission
from tests.contracts.storage import Neighbours, StorageUnderTest
from tests.support.memory import dead_letters
from tests.support.messages import Sent


@frozen
class MemoryNeighbours(Neighbours):
    store: MemoryStore

    async def overwrite(self, execution: Execution) -> None:
        self.store.overwrite(execution)

    async def delete(self, execution: Execution) -> None:
        self.store.remove(execution.tenant, execution.execution_id)

    async def handed_over(self, kind: MessageKind) -> Sequence[Sent]:  # noqa: ARG002
        return ()

    async def dead_letters(self, tenant: UUID) -> Sequence[tuple[Sent, str]]:
        return [
            (sent, reason)
            for sent, reason in dead_letters(self.store)
            if sent.retried.tenant == tenant
        ]

    async def add_user(self, user: User) -> None:
        self.store.identities.put_account(Account(user=user, email="ada@example.com"))

    async def give_role(
        self, user: User, role_id: UUID, permissions: Mapping[UUID, Permission]
    ) -> None:
        self.store.identities.grant(user, role_id, frozenset(permissions.values()))

    async def deactivate_user(self, user: User) -> None:
        self.store.identities.set_active(user.tenant, user.user_id, active=False)

    async def remove_user(self, user: User) -> None:
        self.store.identities.remove_account(user.tenant, user.user_id)

    async def set_last_used_at(self, api_key_id: UUID, moment: datetime) -> None:
        identities = self.store.identities
        for key in identities.api_keys():
            if key.api_key_id == api_key_id:
                identities.replace_key(evolve(key, last_used_at=moment))

    async def outlive(self, reservation: Reservation) -> None:
        self.store.answers.give_up(reservation, now())

    async def finish_writing(self) -> None:
        """Memory writes at once."""


def now() -> datetime:
    return datetime.now(UTC)


@asynccontextmanager
async def open_storage() -> AsyncIterator[StorageUnderTest]:
    store = MemoryStore()
    yield StorageUnderTest(
        storage=memory_storage(now, uuid4, store=store), neighbours=MemoryNeighbours(store)
    )
