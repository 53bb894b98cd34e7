from typing import Protocol
from uuid import UUID

from automation_retry.domain import Principal


class Authenticator(Protocol):
    """Turns an API key into a principal."""

    async def authenticate(self, api_key: str, tenant: UUID | None = None) -> Principal:
        """The principal of a valid key; counts one use of a key that has a usage limit.

        A key is valid when it is active, not expired and below its usage limit, and its user is an
        active user of the key's tenant; with `tenant`, the key must belong to it. Of concurrent
        requests with a limited key exactly as many succeed as the limit leaves. Nothing is cached.

        Raises:
            InvalidApiKey: its reason is for the log only.
            StorageUnavailable: the storage did not answer.
        """
        ...
