from collections.abc import Sequence
from datetime import datetime
from uuid import UUID, uuid5

from attrs import evolve, frozen

from automation_retry.adapters.api_keys import digest, new_api_key
from automation_retry.adapters.memory.identities import Account
from automation_retry.adapters.memory.store import MemoryStore
from automation_retry.application.ports import ApiKey, Clock, Directory, NewId, User
from automation_retry.domain import Permission


@frozen
class MemoryDirectory(Directory):
    store: MemoryStore
    clock: Clock
    new_id: NewId

    async def ensure_user(
        self,
        *,
        tenant: UUID,
        company_name: str,
        username: str,
        email: str,
        permissions: frozenset[Permission],
    ) -> User:
        identities = self.store.identities
        identities.ensure_tenant(tenant, company_name)
        found = await self.find_user(username, tenant)
        if found:
            user = found[0]
        else:
            user = User(tenant=tenant, user_id=self.new_id(), username=username)
            identities.put_account(Account(user=user, email=email))
        identities.grant(user, uuid5(user.user_id, "own role"), permissions)
        return user

    async def create_api_key(
        self,
        *,
        user: User,
        description: str | None = None,
        expires_at: datetime | None = None,
        usage_limit: int | None = None,
        api_key: str | None = None,
    ) -> str:
        plain = api_key or new_api_key()
        self.store.identities.add_key(
            digest(plain),
            ApiKey(
                tenant=user.tenant,
                api_key_id=self.new_id(),
                user_id=user.user_id,
                username=user.username,
                description=description,
                active=True,
                created_at=self.clock(),
                last_used_at=None,
                expires_at=expires_at,
                usage_limit=usage_limit,
                usage_count=0,
            ),
        )
        return plain

    async def find_user(self, username: str, tenant: UUID | None = None) -> Sequence[User]:
        return [
            user
            for user in self.store.identities.users()
            if user.username == username and tenant in (None, user.tenant)
        ]

    async def api_keys(self, tenant: UUID | None = None) -> Sequence[ApiKey]:
        keys = [key for key in self.store.identities.api_keys() if tenant in (None, key.tenant)]
        return sorted(keys, key=lambda key: key.created_at)

    async def revoke_api_key(self, api_key_id: UUID) -> bool:
        identities = self.store.identities
        found = [key for key in identities.api_keys() if key.api_key_id == api_key_id]
        for key in found:
            identities.replace_key(evolve(key, active=False))
        return bool(found)
