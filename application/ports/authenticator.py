from typing import Protocol
from uuid import UUID

from attrs import frozen

from automation_retry.domain import Principal


@frozen(kw_only=True)
class ValidKey:
    """What is known of a key that is valid."""

    principal: Principal
    has_usage_limit: bool
    """Whether each use must be counted."""


class Authenticator(Protocol):
    """Turns an API key into a principal."""

    async def authenticate(self, api_key: str, tenant: UUID | None = None) -> ValidKey:
        """The principal of a valid key; reads only.

        A key is valid when it is active, not expired and below its usage limit, and its user is an
        active user of the key's tenant; with `tenant`, the key must belong to it. Nothing is
        cached.

        Raises:
            InvalidApiKey: its reason is for the log only.
            StorageUnavailable: the storage did not answer.
        """
        ...

    async def count_use(self, principal: Principal) -> None:
        """Counts a use of a key that has a usage limit.

        Of concurrent requests exactly as many succeed as the limit leaves.

        Raises:
            InvalidApiKey: the limit leaves none; its reason is for the log only.
            StorageUnavailable: the storage did not answer; the use may have been counted.
        """
        ...
