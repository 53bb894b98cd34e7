from attrs import frozen

from application import GetExecution, ListFailedAttempts, RetryExecution
from application.ports import Authenticator, Authorizer, Readiness
from entrypoints.http.rate_limit import RateLimiter


@frozen(kw_only=True)
class Api:
    """All that the routes are made of; the container builds one for each application."""

    authenticator: Authenticator
    authorizer: Authorizer
    """Where a route must refuse a query itself: lacking permission is told first."""
    retry_execution: RetryExecution
    get_execution: GetExecution
    list_failed_attempts: ListFailedAttempts
    readiness: Readiness
    rate_limiter: RateLimiter
    rule_links: bool = True
    """Whether `rule` links are given: AlgaPSA serves the rules beside us."""
