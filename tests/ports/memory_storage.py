from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID, uuid4

from attrs import evolve, frozen

from automation_retry.adapters.memory import (
    MemoryAuthenticator,
    MemoryDirectory,
    MemoryExecutionRepository,
    MemoryOutbox,
    MemoryReadiness,
    MemoryStore,
    MemoryUnitOfWork,
)
from automation_retry.adapters.memory.identities import Account
from automation_retry.adapters.memory.message_address import MessageAddress
from automation_retry.application import Message
from automation_retry.application.ports import User
from automation_retry.domain import Execution, Permission
from tests.ports.storage import Neighbours, Storage


@frozen
class MemoryNeighbours(Neighbours):
    store: MemoryStore

    async def report(self, result: Execution) -> bool:
        return self.store.report(result)

    async def overwrite(self, execution: Execution) -> None:
        self.store.overwrite(execution)

    async def dead_letters(self, tenant: UUID) -> Sequence[tuple[Message, str]]:
        return [
            (letter.message, letter.reason)
            for letter in self.store.messages.dead_letters
            if MessageAddress.of(letter.message).tenant == tenant
        ]

    async def add_user(self, user: User) -> None:
        self.store.identities.put_account(Account(user=user, email="ada@example.com"))

    async def give_role(
        self, user: User, role_id: UUID, permissions: Mapping[UUID, Permission]
    ) -> None:
        self.store.identities.grant(user, role_id, frozenset(permissions.values()))

    async def deactivate_user(self, user: User) -> None:
        self.store.identities.deactivate(user.tenant, user.user_id)

    async def remove_user(self, user: User) -> None:
        self.store.identities.remove_account(user.tenant, user.user_id)

    async def set_last_used_at(self, api_key_id: UUID, moment: datetime) -> None:
        identities = self.store.identities
        for key in identities.api_keys():
            if key.api_key_id == api_key_id:
                identities.replace_key(evolve(key, last_used_at=moment))

    async def finish_writing(self) -> None:
        """Memory writes at once."""


def now() -> datetime:
    return datetime.now(UTC)


@asynccontextmanager
async def open_storage() -> AsyncIterator[Storage]:
    store = MemoryStore()
    yield Storage(
        repository=MemoryExecutionRepository(store),
        new_unit_of_work=lambda: MemoryUnitOfWork(store),
        outbox=MemoryOutbox(store),
        authenticator=MemoryAuthenticator(store, now),
        directory=MemoryDirectory(store, now, uuid4),
        readiness=MemoryReadiness(),
        neighbours=MemoryNeighbours(store),
    )
