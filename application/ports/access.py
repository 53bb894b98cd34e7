from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from attrs import frozen

from automation_retry.domain import Permission, Principal


class Authorizer(Protocol):
    """Decides what a principal may do within its own tenant."""

    async def permits(self, principal: Principal, permission: Permission) -> bool:
        """Whether the principal has the permission now."""
        ...

    async def require(self, principal: Principal, permission: Permission) -> None:
        """Returns when the principal has the permission.

        Raises:
            PermissionDenied: it has not.
        """
        ...


class Authenticator(Protocol):
    """Turns an API key into a principal."""

    async def authenticate(self, api_key: str, tenant: UUID | None = None) -> Principal:
        """The principal of a valid key; counts one use of a key that has a usage limit.

        A key is valid when active, not expired, below its usage limit, and its user is an active
        one of the key's tenant; with `tenant`, the key must belong to it. Of concurrent requests
        with a limited key exactly as many succeed as the limit leaves. Nothing is cached.

        Raises:
            InvalidApiKey: the reason is in the error, for the log only.
            StorageUnavailable: the storage did not answer.
        """
        ...


@frozen(kw_only=True)
class User:
    tenant: UUID
    user_id: UUID
    username: str


@frozen(kw_only=True)
class ApiKey:
    """An API key without the key: only its digest is stored."""

    tenant: UUID
    api_key_id: UUID
    user_id: UUID
    username: str
    description: str | None
    active: bool
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None
    usage_limit: int | None
    usage_count: int


class Directory(Protocol):
    """The tenants, users, grants and keys of a database of one's own.

    Inside an AlgaPSA database AlgaPSA keeps them.
    """

    async def ensure_user(
        self,
        *,
        tenant: UUID,
        company_name: str,
        username: str,
        email: str,
        permissions: frozenset[Permission],
    ) -> User:
        """Makes tenant, user, role and grants where missing; what exists is kept.

        The user gets exactly one role of its own, which is granted `permissions` in addition to
        what it had.

        Raises:
            StorageUnavailable: the storage did not answer.
        """
        ...

    async def create_api_key(
        self,
        *,
        user: User,
        description: str | None = None,
        expires_at: datetime | None = None,
        usage_limit: int | None = None,
        api_key: str | None = None,
    ) -> str:
        """Makes a key for a user and returns it in plain, once; only its digest is stored.

        `api_key` is for a key that was made elsewhere; a key that exists already is kept.

        Raises:
            StorageUnavailable: the storage did not answer.
        """
        ...

    async def find_user(self, username: str, tenant: UUID | None = None) -> Sequence[User]:
        """The users of that name, in one tenant or in all.

        Raises:
            StorageUnavailable: the storage did not answer.
        """
        ...

    async def api_keys(self, tenant: UUID | None = None) -> Sequence[ApiKey]:
        """The keys of a tenant, or of all, oldest first.

        Raises:
            StorageUnavailable: the storage did not answer.
        """
        ...

    async def revoke_api_key(self, api_key_id: UUID) -> bool:
        """Makes a key invalid from now on; False when there is no such key.

        Raises:
            StorageUnavailable: the storage did not answer.
        """
        ...
