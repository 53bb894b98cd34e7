from collections.abc import Awaitable, Callable, Mapping

from attrs import field, frozen

from automation_retry.application import (
    BulkRetry,
    DescribeCaller,
    GetExecution,
    ListExecutions,
    ListFailedAttempts,
    ListFailureGroups,
    MessageKind,
    ReadinessReport,
    RetryExecution,
)
from automation_retry.application.ports import Authenticator, Authorizer, Channel, NewId
from automation_retry.entrypoints.budget import RequestTime
from automation_retry.entrypoints.http.middleware.rate_limit import RateLimiter


@frozen(kw_only=True)
class Api:
    """What the routes are built from; the container builds one for each application."""

    authenticator: Authenticator
    authorizer: Authorizer
    retry_execution: RetryExecution
    bulk_retry: BulkRetry
    get_execution: GetExecution
    list_executions: ListExecutions
    list_failed_attempts: ListFailedAttempts
    list_failure_groups: ListFailureGroups
    describe_caller: DescribeCaller
    readiness: Callable[[], Awaitable[ReadinessReport]]
    rate_limiter: RateLimiter
    new_id: NewId
    """For the ids of requests that bring none."""
    channels: Mapping[MessageKind, Channel] = field(factory=dict)
    """Where consumers find jobs and events."""
    rule_links: bool = True
    """Whether answers link to the rule, which AlgaPSA serves beside this service."""
    root_path: str = ""
    """The path under which a proxy serves this service; links begin with it."""
    body_within_s: float = 30.0
    """How long a caller may take to send the body of a request, beside the time of the request."""
    request_time: RequestTime = field(factory=lambda: RequestTime(10.0))
