"""For use inside another Python service: the use cases, without HTTP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from attrs import evolve, frozen

from automation_retry.adapters.embedded import EmbeddedPostgresError
from automation_retry.application import (
    BulkRetry,
    GetExecution,
    ListExecutions,
    ListFailedAttempts,
    ListFailureGroups,
    RetryExecution,
)
from automation_retry.application.ports import ExecutionRepository
from automation_retry.entrypoints.lifecycle import open_container
from automation_retry.entrypoints.settings import Settings, SettingsError, read_settings

__all__ = [
    "EmbeddedPostgresError",
    "Service",
    "Settings",
    "SettingsError",
    "open_service",
    "read_settings",
]


@frozen(kw_only=True)
class Service:
    """The use cases on one open storage. The caller vouches for the principals that it passes.

    No call takes longer than `AUTOMATION_RETRY_REQUEST_TIMEOUT_MS`; past it, `StorageUnavailable`
    is raised. Cancelling a call ends it immediately.
    """

    retry_execution: RetryExecution
    bulk_retry: BulkRetry
    get_execution: GetExecution
    list_executions: ListExecutions
    list_failed_attempts: ListFailedAttempts
    list_failure_groups: ListFailureGroups
    executions: ExecutionRepository
    """Checks no permission: for adding executions where this service owns the table."""


@asynccontextmanager
async def open_service(settings: Settings, *, relay: bool = False) -> AsyncIterator[Service]:
    """The service for as long as the context lasts.

    An `embedded:` database is started and migrated; any other must have been migrated before. With
    `relay`, jobs and events are also delivered from here; otherwise another process must relay.

    Raises:
        EmbeddedPostgresError: an embedded database cannot be started; the message says what to do.
        StorageUnavailable: an embedded database cannot be migrated.
    """
    async with open_container(settings, relay=relay) as container:
        # Over HTTP the request as a whole has the budget.
        budget = container.request_time()
        yield Service(
            retry_execution=evolve(container.retry_execution(), budget=budget),
            bulk_retry=evolve(container.bulk_retry(), budget=budget),
            get_execution=evolve(container.get_execution(), budget=budget),
            list_executions=evolve(container.list_executions(), budget=budget),
            list_failure_groups=evolve(container.list_failure_groups(), budget=budget),
            list_failed_attempts=evolve(container.list_failed_attempts(), budget=budget),
            executions=container.storage().executions,
        )
