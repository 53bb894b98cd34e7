"""Settings from the environment; a wrong one is refused by its name before anything starts."""

import os
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import environ

from automation_retry.adapters.broker_type import BrokerType
from automation_retry.adapters.environment import PREFIX, SettingsError, one_of
from automation_retry.adapters.extras import install_command
from automation_retry.adapters.storage_kind import POSTGRESQL, StorageKind
from automation_retry.application import MessageKind
from automation_retry.entrypoints.brokers import BROKERS
from automation_retry.entrypoints.settings.database_url import FORMS, DatabaseUrl
from automation_retry.entrypoints.settings.service import (
    EVENT_BUS,
    JOB_QUEUE,
    ChosenBroker,
    Settings,
    replace,
)

__all__ = [
    "PREFIX",
    "ChosenBroker",
    "DatabaseUrl",
    "Settings",
    "SettingsError",
    "StorageKind",
    "read_settings",
    "settings_help",
]

Brokers = Mapping[str, BrokerType]

JOB, EVENT = MessageKind.JOB, MessageKind.EVENT


def read_settings(
    variables: Mapping[str, str] = os.environ, *, brokers: Brokers = BROKERS
) -> Settings:
    """The settings in an environment, or in any mapping of the same form.

    Raises:
        SettingsError: one is missing or wrong.
    """
    try:
        settings = environ.to_config(Settings, dict(variables))
    except environ.MissingEnvValueError as error:
        name = str(error.args[0])
        raise SettingsError(name, f"is not set; it {FORMS}") from error
    kind = settings.database_url.kind
    return replace(
        settings,
        jobs=_chosen(JOB_QUEUE, settings.job_queue, kind, variables, _carrying(JOB, brokers)),
        events=_chosen(EVENT_BUS, settings.event_bus, kind, variables, _carrying(EVENT, brokers)),
    )


def _carrying(kind: MessageKind, brokers: Brokers) -> Brokers:
    return {name: broker for name, broker in brokers.items() if kind in broker.kinds}


def _chosen(
    variable: str,
    name: str,
    kind: StorageKind,
    variables: Mapping[str, str],
    brokers: Brokers,
) -> ChosenBroker:
    """The broker of that name; without a name the first that works with the storage."""
    if not name:
        name = next(one.name for one in brokers.values() if kind in one.storages)
    try:
        one_of(*brokers)(name)
    except ValueError as error:
        raise SettingsError(variable, str(error)) from error
    broker = brokers[name]
    if kind not in broker.storages:
        needs = (
            "needs a PostgreSQL in DATABASE_URL"
            if broker.storages <= POSTGRESQL
            else "goes with DATABASE_URL=memory: only"
        )
        raise SettingsError(variable, f"{name} {needs}")
    if broker.driver and find_spec(broker.driver) is None:
        raise SettingsError(variable, f"the driver is missing: {install_command(name)}")
    own = broker.variables and environ.to_config(broker.variables, dict(variables))
    return ChosenBroker(broker, own)


def settings_help(brokers: Brokers = BROKERS) -> str:
    """All variables with their defaults and meanings, a line each."""
    classes: list[type[Any]] = [
        Settings,
        *(one.variables for one in brokers.values() if one.variables),
    ]
    return "\n".join(environ.generate_help(one, display_defaults=True) for one in classes)
