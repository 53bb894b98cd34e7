"""Three tenants that have the same ids, and the users and keys of each.

Whatever is keyed by tenant exists in all three under one id and differs otherwise, so a statement
that forgets the tenant finds a row of another one.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import NAMESPACE_OID, UUID, uuid4, uuid5

from attrs import define, frozen

from automation_retry.application.ports import Directory
from automation_retry.domain import Permission, Principal
from tests.support.world import BOTH

_LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)


def shared_id(name: str) -> UUID:
    """The same for all tenants."""
    return uuid5(NAMESPACE_OID, name)


@frozen
class Tenant:
    name: str
    mark: str
    """The first eight digits of the ids that only this tenant has; in each of its texts."""
    more_attempts: int
    """How many archived attempts its executions have beyond those of the acting tenant."""

    def own_id(self, name: str) -> UUID:
        """Like no id of another tenant."""
        return UUID(self.mark + shared_id(f"{self.name}: {name}").hex[8:])

    @property
    def id(self) -> UUID:
        return self.own_id("tenant")


# One neighbour before the acting tenant, one behind it, in the order of ids and of insertion.
LOWER = Tenant("lower", "1ee71ee7", more_attempts=1)
ACTING = Tenant("acting", "7a7a7a7a", more_attempts=0)
UPPER = Tenant("upper", "f00df00d", more_attempts=2)
NEIGHBOURS = (LOWER, UPPER)


@frozen(kw_only=True)
class Role:
    """A caller of the acting tenant; its neighbours' user and key of the same ids may do more."""

    name: str
    permissions: frozenset[Permission] = BOTH
    admitted: bool = True
    """Whether its key is valid."""
    usage_limit: int | None = None
    expires_at: datetime | None = None

    def key(self, tenant: Tenant) -> str:
        return f"ar_{tenant.name} {self.name}".replace(" ", "_")

    def principal(self, tenant: Tenant) -> Principal:
        """Somebody who may do everything, under this role's ids."""
        return Principal(
            tenant=tenant.id,
            user_id=chosen_id(f"user {self.name}"),
            api_key_id=chosen_id(f"key {self.name}"),
            permissions=BOTH,
        )

    def headers(self, tenant: Tenant) -> Mapping[str, str]:
        match self:
            case Role(name="no key"):
                return {}
            case Role(name="key of another tenant"):
                return {"x-api-key": self.key(tenant), "x-tenant-id": str(UPPER.id)}
            case _:
                return {"x-api-key": self.key(tenant)}


def _of(*actions: str) -> frozenset[Permission]:
    return frozenset(one for one in BOTH if one.action in actions)


OPERATOR = Role(name="operator")
NO_KEY = Role(name="no key", admitted=False)
UNKNOWN = Role(name="unknown key", admitted=False)
REVOKED = Role(name="revoked key", admitted=False)
INACTIVE = Role(name="inactive user", admitted=False)
# The first two in this order: so the id of one's permission is that of the other's in neighbours.
ROLES = (
    Role(name="reader", permissions=_of("read")),
    Role(name="executor", permissions=_of("execute")),
    Role(name="no permission", permissions=_of()),
    OPERATOR,
    Role(name="limited key", usage_limit=1_000_000),
    NO_KEY,
    UNKNOWN,
    REVOKED,
    INACTIVE,
    Role(name="expired key", admitted=False, expires_at=_LONG_AGO),
    Role(name="used up key", admitted=False, usage_limit=0),
    Role(name="key of another tenant", admitted=False),
)
RACER = Role(name="racer")
"""May do everything in each tenant."""


@define
class ChosenIds:
    """Makes the ids of a service: random ones, or those of a name."""

    _name: str | None = None
    _made: int = 0

    def choose(self, name: str | None) -> None:
        self._name, self._made = name, 0

    def __call__(self) -> UUID:
        if self._name is None:
            return uuid4()
        self._made += 1
        return shared_id(f"{self._name} {self._made}")


def chosen_id(name: str) -> UUID:
    """The first id that is made after `name` was chosen."""
    return shared_id(f"{name} 1")


async def add_identities(directory: Directory, ids: ChosenIds, tenant: Tenant) -> None:
    """Adds a tenant with a user and a key for each role."""
    for role in (*ROLES, RACER):
        if role not in (NO_KEY, UNKNOWN):
            await _add_role(directory, ids, tenant, role)
    ids.choose(None)


async def _add_role(directory: Directory, ids: ChosenIds, tenant: Tenant, role: Role) -> None:
    acting = tenant is ACTING
    ids.choose(f"user {role.name}")
    user = await directory.ensure_user(
        tenant=tenant.id,
        company_name=f"Company {tenant.mark}",
        username=role.name,
        email=f"{tenant.mark}@contoso.example",
        permissions=_permissions(tenant, role),
    )
    # A key is revoked by its id alone, whatever its tenant: this one has an id of its own.
    own = role is REVOKED and not acting
    ids.choose(f"key {role.name}{tenant.name if own else ''}")
    await directory.create_api_key(
        user=user,
        description=tenant.mark,
        expires_at=role.expires_at if acting else None,
        usage_limit=role.usage_limit if acting or role.admitted else None,
        api_key=role.key(tenant),
    )
    if acting and role is REVOKED:
        assert await directory.revoke_api_key(chosen_id(f"key {role.name}"))
    if acting and role is INACTIVE:
        await directory.set_user_active(user, active=False)


def _permissions(tenant: Tenant, role: Role) -> frozenset[Permission]:
    """In other tenants those that the role lacks in the acting one."""
    if tenant is ACTING or not role.admitted or role is RACER:
        return role.permissions
    return BOTH - role.permissions
