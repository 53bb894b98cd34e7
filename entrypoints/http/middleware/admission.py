import logging
from typing import Final
from uuid import UUID

from attrs import frozen
from starlette.requests import Request
from starlette.types import Scope

from automation_retry.adapters.log import log
from automation_retry.application import ApiKeyRequired, InvalidApiKey
from automation_retry.application.ports import Authenticator, Authorizer
from automation_retry.domain import Permission, Principal, is_uuid
from automation_retry.entrypoints.http.middleware.rate_limit import RateLimiter
from automation_retry.entrypoints.http.wire.errors import RateLimited
from automation_retry.entrypoints.http.wire.request_context import context_of, header_values

ADMISSION_ERRORS: Final = (ApiKeyRequired, InvalidApiKey, RateLimited)
"""Besides PermissionDenied, where a permission is needed."""


@frozen
class Admission:
    """The checks before the handler of a protected route, in the order of the contract.

    401, 429, 403; then comes the body (408, 413); what follows (400, 404, 409) is the use case's.
    """

    authenticator: Authenticator
    authorizer: Authorizer
    rate_limiter: RateLimiter

    async def admit(self, request: Request, permission: Permission | None) -> Principal:
        """The caller, who has `permission`; None asks for none.

        Once the key is known, every answer carries the headers of the rate limit. A request that
        the rate limit refuses does not use a key up.

        Raises:
            ApiKeyRequired: no `x-api-key`, or a blank one.
            InvalidApiKey: the key is not valid, or not in the tenant of `x-tenant-id`.
            RateLimited: the key's bucket is empty, and the limit is enforced.
            PermissionDenied: the caller lacks the permission.
            StorageUnavailable: the storage did not answer.
        """
        key = await self.authenticator.authenticate(_api_key(request.scope), _tenant(request.scope))
        principal = key.principal
        context_of(request.scope).principal = principal
        self._take_token(request.scope, principal)
        if key.has_usage_limit:
            await self.authenticator.count_use(principal)
        if permission is not None:
            await self.authorizer.require(principal, permission)
        return principal

    def _take_token(self, scope: Scope, principal: Principal) -> None:
        context = context_of(scope)
        allowance = self.rate_limiter.take(principal.tenant, principal.api_key_id)
        context.allowance = allowance
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
                log(logging.WARNING, "rate_limit_exceeded", enforced=False, **context.who())


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
