from collections.abc import Sequence
from datetime import datetime
from enum import Enum
from typing import Protocol
from uuid import UUID

from attrs import frozen

from automation_retry.domain import Permission


@frozen(kw_only=True)
class User:
    tenant: UUID
    user_id: UUID
    username: str


@frozen(kw_only=True)
class UserAccount:
    """A user, and what it may do."""

    user: User
    company_name: str
    """The name of its tenant; empty where it has none."""
    active: bool
    permissions: frozenset[Permission]


class ApiKeyStatus(Enum):
    """Whether a key is valid now, and if not the first reason why."""

    ACTIVE = "active"
    REVOKED = "revoked"
    EXPIRED = "expired"
    USED_UP = "used up"
    USER_MISSING = "user missing"
    USER_INACTIVE = "user inactive"


@frozen(kw_only=True)
class ApiKey:
    """An API key without the key itself: only its digest is stored."""

    tenant: UUID
    api_key_id: UUID
    user_id: UUID
    username: str
    description: str | None
    status: ApiKeyStatus
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None
    usage_limit: int | None
    usage_count: int


class Directory(Protocol):
    """Tenants, users, grants and API keys, for a database that is not AlgaPSA's.

    In an AlgaPSA database AlgaPSA maintains them.
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
        """Creates tenant, user, role and grants where they are missing; keeps what exists.

        The user has one role of its own, which is granted `permissions` in addition to those that
        it has.

        Raises:
            StorageUnavailable: the storage did not answer.
        """
        ...

    async def create_user(
        self, *, company_name: str, username: str, email: str, permissions: frozenset[Permission]
    ) -> User:
        """Creates a user in a new tenant. Of concurrent calls with one name one succeeds.

        Raises:
            UserExists: some tenant has a user of that name.
            StorageUnavailable: the storage did not answer.
        """
        ...

    async def users(self, tenant: UUID | None = None) -> Sequence[UserAccount]:
        """The users of one tenant, or of all, by tenant and name.

        Raises:
            StorageUnavailable: the storage did not answer.
        """
        ...

    async def set_user_active(self, user: User, *, active: bool) -> None:
        """Deactivates a user, so that none of its keys is valid, or activates it again.

        Raises:
            StorageUnavailable: the storage did not answer.
        """
        ...

    async def grant(self, user: User, permissions: frozenset[Permission]) -> None:
        """Adds permissions to the user's own role, which is created where it is missing.

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
        """Creates a key for a user and returns it in plain text; only its digest is stored.

        `api_key` imports a key that was generated elsewhere; one that is stored already is kept.

        Raises:
            StorageUnavailable: the storage did not answer.
        """
        ...

    async def remove_api_key(self, user: User, api_key: str) -> None:
        """Removes a key, given in plain text, that nobody has received.

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

    async def username(self, tenant: UUID, user_id: UUID) -> str | None:
        """The name of a user; None where the tenant has no such user.

        Raises:
            StorageUnavailable: the storage did not answer.
        """
        ...

    async def api_keys(self, tenant: UUID | None = None) -> Sequence[ApiKey]:
        """The keys of one tenant, or of all, oldest first.

        Raises:
            StorageUnavailable: the storage did not answer.
        """
        ...

    async def revoke_api_key(self, api_key_id: UUID) -> bool:
        """Revokes a key at once; False when there is no such key.

        Raises:
            StorageUnavailable: the storage did not answer.
        """
        ...
