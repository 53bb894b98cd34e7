from datetime import datetime, timedelta
from uuid import UUID

from attrs import evolve, frozen

from automation_retry.adapters.api_keys import digest
from automation_retry.adapters.memory.store import MemoryStore
from automation_retry.application import InvalidApiKey
from automation_retry.application.ports import ApiKey, ApiKeyStatus, Authenticator, Clock, ValidKey
from automation_retry.domain import Principal

_LAST_USED_AT_LAG = timedelta(minutes=1)

_USED_UP = "its usage limit is reached"
_REFUSALS = {
    ApiKeyStatus.REVOKED: "it is not active",
    ApiKeyStatus.EXPIRED: "it has expired",
    ApiKeyStatus.USED_UP: _USED_UP,
    ApiKeyStatus.USER_MISSING: "its user is not in its tenant",
    ApiKeyStatus.USER_INACTIVE: "its user is inactive",
}


@frozen
class MemoryAuthenticator(Authenticator):
    """The validity rules of AlgaPSA's `api_keys` and `users`."""

    store: MemoryStore
    clock: Clock

    async def authenticate(self, api_key: str, tenant: UUID | None = None) -> ValidKey:
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

    def _admit(self, key: ApiKey, now: datetime) -> ValidKey:
        identities = self.store.identities
        if key.last_used_at is None or now - key.last_used_at >= _LAST_USED_AT_LAG:
            identities.replace_key(evolve(key, last_used_at=now))
        principal = Principal(
            tenant=key.tenant,
            user_id=key.user_id,
            api_key_id=key.api_key_id,
            permissions=identities.permissions(key.tenant, key.user_id),
        )
        return ValidKey(principal=principal, has_usage_limit=key.usage_limit is not None)

    async def count_use(self, principal: Principal) -> None:
        for key in self.store.identities.api_keys():
            if (key.tenant, key.api_key_id) == (principal.tenant, principal.api_key_id):
                if key.usage_limit is not None and key.usage_count >= key.usage_limit:
                    raise InvalidApiKey(f"{_USED_UP} (api_key_id {key.api_key_id})")
                self.store.identities.replace_key(evolve(key, usage_count=key.usage_count + 1))
