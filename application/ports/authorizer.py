from typing import Protocol

from automation_retry.domain import Permission, Principal


class Authorizer(Protocol):
    """Decides what a principal may do within its own tenant."""

    async def permits(self, principal: Principal, permission: Permission) -> bool:
        """Whether the principal has the permission now."""
        ...

    async def require(self, principal: Principal, permission: Permission) -> None:
        """Returns when the principal has the permission.

        Raises:
            PermissionDenied: it does not.
        """
        ...
