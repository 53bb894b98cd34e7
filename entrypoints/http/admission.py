from uuid import UUID

from attrs import frozen
from starlette.requests import Request
from starlette.types import Scope
from structlog.typing import FilteringBoundLogger

from automation_retry.application import ApiKeyRequired, InvalidApiKey
from automation_retry.application.ports import Authenticator
from automation_retry.domain import Principal
from automation_retry.entrypoints.http.errors import RateLimited
from automation_retry.entrypoints.http.rate_limit import RateLimiter
from automation_retry.entrypoints.http.request_context import context_of, header_values, is_uuid


@frozen
class Admission:
    """Lets a request in: first 401, then 429."""

    authenticator: Authenticator
    rate_limiter: RateLimiter
    log: FilteringBoundLogger

    async def __call__(self, request: Request) -> Principal:
        """Who asks. From here on every answer carries the headers of the rate limit.

        Raises:
            ApiKeyRequired: no `x-api-key`, or a blank one.
            InvalidApiKey: it opens nothing, or not in the tenant of `x-tenant-id`.
            RateLimited: the key's bucket is empty, and the limit is enforced.
            StorageUnavailable: the storage did not answer.
        """
        api_key = _api_key(request.scope)
        tenant = _tenant(request.scope)
        principal = await self.authenticator.authenticate(api_key, tenant)
        context = context_of(request.scope)
        context.principal = principal
        allowance = self.rate_limiter.take(principal.tenant, principal.api_key_id)
        context.headers.append((b"x-ratelimit-limit", b"%d" % allowance.limit))
        context.headers.append((b"x-ratelimit-remaining", b"%d" % allowance.remaining))
        if allowance.retry_after_ms:
            if self.rate_limiter.enforce:
                raise RateLimited(
                    allowance.retry_after_ms,
                    allowance.remaining,
                    self.rate_limiter.resets_at(allowance),
                )
            if allowance.first_refusal:
                self.log.warning("rate_limit_exceeded", enforced=False, **context.who())
        return principal


def _api_key(scope: Scope) -> str:
    match [value for value in header_values(scope, b"x-api-key") if value.strip()]:
        case []:
            raise ApiKeyRequired
        case [value] if value.isascii():
            return value.strip().decode()
        case [_]:
            raise InvalidApiKey("the key is not ASCII")
        case _:
            raise InvalidApiKey("several keys were sent")


def _tenant(scope: Scope) -> UUID | None:
    """A blank `x-tenant-id` counts as none, as in AlgaPSA."""
    match [value for value in header_values(scope, b"x-tenant-id") if value.strip()]:
        case []:
            return None
        case [value]:
            tenant = value.strip().decode("latin-1")
            if not is_uuid(tenant):
                raise InvalidApiKey("x-tenant-id is not a UUID")
            return UUID(tenant)
        case _:
            raise InvalidApiKey("several x-tenant-id were sent")
