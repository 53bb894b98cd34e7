"""The settings and the storage that commands work on."""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from automation_retry.adapters.log import log
from automation_retry.application.ports import Storage
from automation_retry.entrypoints.lifecycle import open_container
from automation_retry.entrypoints.logging import configure_logging
from automation_retry.entrypoints.settings import (
    Settings,
    SettingsError,
    StorageKind,
    read_settings,
    unknown_settings,
)

T = TypeVar("T")


def configured_settings(options: Mapping[str, str] | None = None) -> Settings:
    """The settings in the environment, replaced by `options`; logs are written as they say.

    Raises:
        SettingsError: one is missing or wrong.
    """
    settings = read_settings({**os.environ, **(options or {})})
    configure_logging(settings.log_format, settings.log_level)
    for name, meant in unknown_settings().items():
        log(logging.WARNING, "unknown setting", variable=name, did_you_mean=meant)
    return settings


def durable_settings() -> Settings:
    """The same, for commands whose effect must outlive them.

    Raises:
        SettingsError: one is missing or wrong, or the storage is memory.
    """
    settings = configured_settings()
    if settings.database_url.kind is StorageKind.MEMORY:
        raise SettingsError("DATABASE_URL", "memory: ends with this command; name a PostgreSQL")
    return settings


def with_storage(settings: Settings, work: Callable[[Storage], Awaitable[T]]) -> T:
    """What `work` returns for the open storage."""

    async def run() -> T:
        async with open_container(settings, fail_fast=True) as container:
            return await work(container.storage())

    return asyncio.run(run())
