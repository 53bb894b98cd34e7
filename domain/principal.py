"""Who asks, in which tenant, and what they may do."""

from uuid import UUID

from attrs import frozen


@frozen
class Permission:
    """The pair that AlgaPSA's `permissions` table holds."""

    resource: str
    action: str


AUTOMATION_EXECUTE = Permission("automation", "execute")
AUTOMATION_READ = Permission("automation", "read")


@frozen(kw_only=True)
class Principal:
    """A user of one tenant, as known by an API key or as vouched for by an in-process caller."""

    tenant: UUID
    user_id: UUID
    api_key_id: UUID | None = None
    """None when no API key was involved, as in process."""
    permissions: frozenset[Permission] = frozenset()
