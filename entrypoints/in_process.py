"""For use inside another Python service: the use cases, without HTTP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from attrs import frozen

from automation_retry.adapters.embedded import EmbeddedPostgresError
from automation_retry.application import GetExecution, ListFailedAttempts, RetryExecution
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
    """The use cases on one open storage. The caller vouches for the principals that it passes."""

    retry_execution: RetryExecution
    get_execution: GetExecution
    list_failed_attempts: ListFailedAttempts
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
        yield Service(
            retry_execution=container.retry_execution(),
            get_execution=container.get_execution(),
            list_failed_attempts=container.list_failed_attempts(),
            executions=container.storage().executions,
        )
