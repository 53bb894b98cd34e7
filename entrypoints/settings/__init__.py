"""Settings from the environment; a wrong one is refused by its name before anything starts."""

import os
from collections.abc import Mapping
from importlib.util import find_spec

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
    POOL_MAX_SIZE,
    POOL_MIN_SIZE,
    ROOT_PATH,
    ChosenBroker,
    Settings,
    replace,
)
from automation_retry.entrypoints.settings.sources import Sources

__all__ = [
    "PREFIX",
    "ROOT_PATH",
    "ChosenBroker",
    "DatabaseUrl",
    "Settings",
    "SettingsError",
    "StorageKind",
    "read_settings",
    "settings_help",
    "unknown_settings",
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
    sources = _sources(brokers)
    given = sources.read(variables)
    if given.get(POOL_MAX_SIZE, "").strip().lstrip("0") == "1":
        given = {POOL_MIN_SIZE: "1", **given}  # its default would be more than that
    try:
        settings = environ.to_config(Settings, given)
    except environ.MissingEnvValueError as error:
        name = str(error.args[0])
        meant = sources.misspelt(name, given)
        hint = f" ({meant} is set: did you mean {name}?)" if meant else ""
        raise SettingsError(name, f"is not set; it {FORMS}{hint}") from error
    kind = settings.database_url.kind
    return replace(
        settings,
        jobs=_chosen(JOB_QUEUE, settings.job_queue, kind, given, _carrying(JOB, brokers)),
        events=_chosen(EVENT_BUS, settings.event_bus, kind, given, _carrying(EVENT, brokers)),
    )


def unknown_settings(
    variables: Mapping[str, str] = os.environ, *, brokers: Brokers = BROKERS
) -> Mapping[str, str | None]:
    """Variables that begin with our prefix and that nothing reads, each with what may be meant."""
    return _sources(brokers).unknown(variables)


def _sources(brokers: Brokers) -> Sources:
    return Sources((Settings, *(one.variables for one in brokers.values() if one.variables)))


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
        name = one_of(*brokers)(name)
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
    classes = _sources(brokers).classes
    return "\n".join(environ.generate_help(one, display_defaults=True) for one in classes)
