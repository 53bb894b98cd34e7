"""Tenants, users, roles and keys, as AlgaPSA's identity tables hold them."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from uuid import UUID

from attrs import define, evolve, field, frozen

from automation_retry.application.ports import ApiKey, ApiKeyStatus, User
from automation_retry.domain import Permission


@frozen(kw_only=True)
class Account:
    """A user, and what the service needs to know of it beyond its name."""

    user: User
    email: str
    active: bool = True


@define(eq=False)
class Identities:
    """Keyed by tenant first, like everything: ids of one tenant mean nothing in another."""

    _tenants: dict[UUID, str] = field(init=False, factory=dict)
    _accounts: dict[tuple[UUID, UUID], Account] = field(init=False, factory=dict)
    _user_roles: dict[tuple[UUID, UUID], set[UUID]] = field(init=False, factory=dict)
    _role_permissions: dict[tuple[UUID, UUID], frozenset[Permission]] = field(
        init=False, factory=dict
    )
    _keys: dict[tuple[UUID, str], ApiKey] = field(init=False, factory=dict)

    def ensure_tenant(self, tenant: UUID, company_name: str) -> None:
        self._tenants.setdefault(tenant, company_name)

    def account(self, tenant: UUID, user_id: UUID) -> Account | None:
        return self._accounts.get((tenant, user_id))

    def accounts(self) -> Sequence[Account]:
        return tuple(self._accounts.values())

    def company_name(self, tenant: UUID) -> str:
        """Empty where there is no such tenant."""
        return self._tenants.get(tenant, "")

    def put_account(self, account: Account) -> None:
        """Adds a user, or replaces what is known of it."""
        self._accounts[account.user.tenant, account.user.user_id] = account

    def remove_account(self, tenant: UUID, user_id: UUID) -> None:
        del self._accounts[tenant, user_id]

    def set_active(self, tenant: UUID, user_id: UUID, *, active: bool) -> None:
        self.put_account(evolve(self._accounts[tenant, user_id], active=active))

    def grant(self, user: User, role_id: UUID, permissions: frozenset[Permission]) -> None:
        """Gives the user a role of its tenant, and the role these permissions on top of its own."""
        role = (user.tenant, role_id)
        granted = self._role_permissions.get(role, frozenset())
        self._role_permissions[role] = granted | permissions
        self._user_roles.setdefault((user.tenant, user.user_id), set()).add(role_id)

    def permissions(self, tenant: UUID, user_id: UUID) -> frozenset[Permission]:
        """What all roles of a user grant together, within its tenant."""
        roles = self._user_roles.get((tenant, user_id), set())
        return frozenset[Permission]().union(
            *(self._role_permissions[tenant, role_id] for role_id in roles)
        )

    def status_of(self, key: ApiKey, now: datetime) -> ApiKeyStatus:
        """Whether a key is valid at that time; what is stored in it only tells what was revoked."""
        account = self.account(key.tenant, key.user_id)
        if key.status is ApiKeyStatus.REVOKED:
            return ApiKeyStatus.REVOKED
        if key.expires_at is not None and key.expires_at <= now:
            return ApiKeyStatus.EXPIRED
        if key.usage_limit is not None and key.usage_count >= key.usage_limit:
            return ApiKeyStatus.USED_UP
        if account is None:
            return ApiKeyStatus.USER_MISSING
        return ApiKeyStatus.ACTIVE if account.active else ApiKeyStatus.USER_INACTIVE

    def api_keys(self) -> Sequence[ApiKey]:
        return tuple(self._keys.values())

    def keys_of_digest(self, key_digest: str) -> Iterator[ApiKey]:
        """The key of a digest in each tenant that has one."""
        return (key for (_, known), key in self._keys.items() if known == key_digest)

    def add_key(self, key_digest: str, key: ApiKey) -> None:
        """Keeps the key that the tenant has of this digest already, if any."""
        self._keys.setdefault((key.tenant, key_digest), key)

    def remove_key(self, tenant: UUID, key_digest: str) -> None:
        self._keys.pop((tenant, key_digest), None)

    def replace_key(self, key: ApiKey) -> None:
        """Stores what changed of a key that is known by its id."""
        for address, known in self._keys.items():
            if known.api_key_id == key.api_key_id and known.tenant == key.tenant:
                self._keys[address] = key
                return
        raise KeyError(key.api_key_id)
