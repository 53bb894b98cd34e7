"""The caller of a use case: a user of one tenant with its permissions."""

from uuid import UUID

from attrs import frozen


@frozen
class Permission:
    """A (resource, action) pair of AlgaPSA's `permissions` table."""

    resource: str
    action: str


AUTOMATION_EXECUTE = Permission("automation", "execute")
AUTOMATION_READ = Permission("automation", "read")


@frozen(kw_only=True)
class Principal:
    """A user of one tenant, identified by an API key or vouched for by an in-process caller."""

    tenant: UUID
    user_id: UUID
    api_key_id: UUID | None = None
    """None when no API key was used, as in process."""
    permissions: frozenset[Permission] = frozenset()
