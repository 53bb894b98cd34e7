from automation_retry.application.ports import Authorizer
from automation_retry.domain import Permission, PermissionDenied, Principal


class GrantedPermissions(Authorizer):
    """A principal may do what its own grants say, as the authenticator or the caller gave them."""

    async def permits(self, principal: Principal, permission: Permission) -> bool:
        return permission in principal.permissions

    async def require(self, principal: Principal, permission: Permission) -> None:
        if not await self.permits(principal, permission):
            raise PermissionDenied(permission)
