from attrs import frozen

from automation_retry.application import GetExecution, ListFailedAttempts, RetryExecution
from automation_retry.application.ports import Authenticator, Authorizer, NewId, Readiness
from automation_retry.entrypoints.http.rate_limit import RateLimiter


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
    new_id: NewId
    """For the ids of requests that bring none."""
    rule_links: bool = True
    """Whether `rule` links are given: AlgaPSA serves the rules beside us."""
