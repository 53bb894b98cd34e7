from attrs import frozen

from automation_retry.application.ports import UNBOUNDED, Budget, Directory
from automation_retry.domain import Principal


@frozen(kw_only=True)
class Caller:
    """A principal, and the name of its user."""

    principal: Principal
    username: str | None
    """None where its tenant has no such user, as one that an in-process caller made up."""


@frozen
class DescribeCaller:
    """Says who a principal is; needs no permission."""

    directory: Directory
    budget: Budget = UNBOUNDED

    async def __call__(self, principal: Principal) -> Caller:
        """The caller.

        Raises:
            StorageUnavailable: the storage did not answer.
        """
        with self.budget():
            username = await self.directory.username(principal.tenant, principal.user_id)
        return Caller(principal=principal, username=username)
