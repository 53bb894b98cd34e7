from datetime import datetime, timedelta
from uuid import UUID

from attrs import evolve, frozen

from automation_retry.adapters.api_keys import digest
from automation_retry.adapters.memory.store import MemoryStore
from automation_retry.application import InvalidApiKey
from automation_retry.application.ports import ApiKey, ApiKeyStatus, Authenticator, Clock
from automation_retry.domain import Principal

_LAST_USED_AT_LAG = timedelta(minutes=1)

_REFUSALS = {
    ApiKeyStatus.REVOKED: "it is not active",
    ApiKeyStatus.EXPIRED: "it has expired",
    ApiKeyStatus.USED_UP: "its usage limit is reached",
    ApiKeyStatus.USER_MISSING: "its user is not in its tenant",
    ApiKeyStatus.USER_INACTIVE: "its user is inactive",
}


@frozen
class MemoryAuthenticator(Authenticator):
    """The validity rules of AlgaPSA's `api_keys` and `users`."""

    store: MemoryStore
    clock: Clock

    async def authenticate(self, api_key: str, tenant: UUID | None = None) -> Principal:
        now = self.clock()
        refusal = "there is no such key"
        for key in self.store.identities.keys_of_digest(digest(api_key)):
            found = self._refusal(key, tenant, now)
            if found is None:
                return self._admit(key, now)
            refusal = f"{found} (api_key_id {key.api_key_id})"
        raise InvalidApiKey(refusal)

    def _refusal(self, key: ApiKey, tenant: UUID | None, now: datetime) -> str | None:
        if tenant is not None and key.tenant != tenant:
            return "it belongs to another tenant"
        return _REFUSALS.get(self.store.identities.status_of(key, now))

    def _admit(self, key: ApiKey, now: datetime) -> Principal:
        identities = self.store.identities
        used = key
        if key.usage_limit is not None:
            used = evolve(used, usage_count=key.usage_count + 1)
        if key.last_used_at is None or now - key.last_used_at >= _LAST_USED_AT_LAG:
            used = evolve(used, last_used_at=now)
        if used is not key:
            identities.replace_key(used)
        return Principal(
            tenant=key.tenant,
            user_id=key.user_id,
            api_key_id=key.api_key_id,
            permissions=identities.permissions(key.tenant, key.user_id),
        )
