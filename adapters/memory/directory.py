from collections.abc import Sequence
from datetime import datetime
from uuid import UUID, uuid5

from attrs import evolve, frozen

from automation_retry.adapters.api_keys import digest, new_api_key
from automation_retry.adapters.memory.identities import Account
from automation_retry.adapters.memory.store import MemoryStore
from automation_retry.application import UserExists
from automation_retry.application.ports import (
    ApiKey,
    ApiKeyStatus,
    Clock,
    Directory,
    NewId,
    User,
    UserAccount,
)
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
        await self.grant(user, permissions)
        return user

    async def create_user(
        self, *, company_name: str, username: str, email: str, permissions: frozenset[Permission]
    ) -> User:
        if found := await self.find_user(username):
            raise UserExists(username, [user.tenant for user in found])
        return await self.ensure_user(
            tenant=self.new_id(),
            company_name=company_name,
            username=username,
            email=email,
            permissions=permissions,
        )

    async def grant(self, user: User, permissions: frozenset[Permission]) -> None:
        own_role = uuid5(user.user_id, "own role")
        self.store.identities.grant(user, own_role, permissions)

    async def users(self, tenant: UUID | None = None) -> Sequence[UserAccount]:
        identities = self.store.identities
        found = [
            UserAccount(
                user=account.user,
                company_name=identities.company_name(account.user.tenant),
                active=account.active,
                permissions=identities.permissions(account.user.tenant, account.user.user_id),
            )
            for account in identities.accounts()
            if tenant in (None, account.user.tenant)
        ]
        return sorted(found, key=lambda one: (one.user.tenant, one.user.username))

    async def set_user_active(self, user: User, *, active: bool) -> None:
        self.store.identities.set_active(user.tenant, user.user_id, active=active)

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
                status=ApiKeyStatus.ACTIVE,
                created_at=self.clock(),
                last_used_at=None,
                expires_at=expires_at,
                usage_limit=usage_limit,
                usage_count=0,
            ),
        )
        return plain

    async def remove_api_key(self, user: User, api_key: str) -> None:
        self.store.identities.remove_key(user.tenant, digest(api_key))

    async def username(self, tenant: UUID, user_id: UUID) -> str | None:
        account = self.store.identities.account(tenant, user_id)
        return None if account is None else account.user.username

    async def find_user(self, username: str, tenant: UUID | None = None) -> Sequence[User]:
        return [
            user
            for user in (account.user for account in self.store.identities.accounts())
            if user.username == username and tenant in (None, user.tenant)
        ]

    async def api_keys(self, tenant: UUID | None = None) -> Sequence[ApiKey]:
        identities, now = self.store.identities, self.clock()
        keys = [
            evolve(key, status=identities.status_of(key, now))
            for key in identities.api_keys()
            if tenant in (None, key.tenant)
        ]
        return sorted(keys, key=lambda key: key.created_at)

    async def revoke_api_key(self, api_key_id: UUID) -> bool:
        identities = self.store.identities
        found = [key for key in identities.api_keys() if key.api_key_id == api_key_id]
        for key in found:
            identities.replace_key(evolve(key, status=ApiKeyStatus.REVOKED))
        return bool(found)
