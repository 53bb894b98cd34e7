"""Settings from the environment; a wrong one is refused with its name before anything starts."""

import os
from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

import environ
from attrs import evolve, frozen

PREFIX = "AUTOMATION_RETRY"


class SettingsError(Exception):
    """A setting is missing or wrong. The message names the variable and what would be right."""

    def __init__(self, variable: str, problem: str) -> None:
        self.variable = variable
        super().__init__(f"{variable}: {problem}")


class StorageKind(Enum):
    MEMORY = "memory"
    EMBEDDED = "embedded"
    POSTGRESQL = "postgresql"


class Engine(Enum):
    MEMORY = "memory"
    PROCRASTINATE = "procrastinate"


_DATABASE_URLS = (
    "must be `memory:` (nothing is kept), `embedded:PATH` (a PostgreSQL of its own under PATH) "
    "or `postgresql://USER:PASSWORD@HOST/DATABASE`"
)


@frozen
class DatabaseUrl:
    """Which storage, and where. The text may hold a password, so its repr does not show it."""

    kind: StorageKind
    text: str

    def __repr__(self) -> str:
        return f"DatabaseUrl({self.kind.value})"

    @property
    def path(self) -> Path:
        """The folder of an embedded PostgreSQL."""
        return Path(self.text.removeprefix("embedded:"))


def _database_url(text: str) -> DatabaseUrl:
    if text == "memory:":
        return DatabaseUrl(StorageKind.MEMORY, text)
    if text.startswith("embedded:") and text != "embedded:":
        return DatabaseUrl(StorageKind.EMBEDDED, text)
    if text.startswith(("postgresql://", "postgres://")):
        return DatabaseUrl(StorageKind.POSTGRESQL, text)
    raise ValueError(_DATABASE_URLS)


def _yes_or_no(text: str) -> bool:
    match text.strip().lower():
        case "true" | "1" | "yes" | "on":
            return True
        case "false" | "0" | "no" | "off":
            return False
    raise ValueError(f"must be true or false, not {text!r}")


def _whole(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if text.isascii() and text.isdigit() and least <= int(text) <= most:
            return int(text)
        raise ValueError(f"must be a whole number from {least} to {most}, not {text!r}")

    return parse


def _one_of(*words: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text in words:
            return text
        raise ValueError(f"must be one of {', '.join(words)}, not {text!r}")

    return parse


def _engine(text: str) -> Engine | None:
    if not text:
        return None
    return Engine(_one_of(*(engine.value for engine in Engine))(text))


def _setting(variable: str, parse: Callable[[str], Any], meaning: str, **default: Any) -> Any:
    """A variable whose parser's ValueError becomes an error that names it.

    `default`, if given, is in the form of the environment and parsed as any other value.
    """

    def convert(value: Any) -> Any:
        try:
            return parse(value) if isinstance(value, str) else value
        except ValueError as error:
            raise SettingsError(variable, str(error)) from error

    return environ.var(name=variable, converter=convert, help=meaning, **default)


@environ.config(prefix="", frozen=True)
class Settings:
    """What can be set, as read at start."""

    database_url: DatabaseUrl = _setting(
        "DATABASE_URL", _database_url, "memory:, embedded:PATH or postgresql://…"
    )
    job_queue: Engine | None = _setting(
        f"{PREFIX}_JOB_QUEUE",
        _engine,
        "Engine that takes the jobs; procrastinate where the storage is PostgreSQL, else memory.",
        default="",
    )
    event_bus: Engine | None = _setting(
        f"{PREFIX}_EVENT_BUS", _engine, "Engine that takes the events; as for jobs.", default=""
    )
    pool_min_size: int = _setting(
        f"{PREFIX}_POOL_MIN_SIZE",
        _whole(1, 1000),
        "Connections to PostgreSQL that each process keeps open.",
        default="2",
    )
    pool_max_size: int = _setting(
        f"{PREFIX}_POOL_MAX_SIZE",
        _whole(1, 1000),
        "Connections to PostgreSQL that each process opens at most.",
        default="10",
    )
    pool_timeout_ms: int = _setting(
        f"{PREFIX}_POOL_TIMEOUT_MS",
        _whole(1, 3_600_000),
        "How long a request waits for a free connection before it answers 503.",
        default="5000",
    )
    relay: bool = _setting(
        f"{PREFIX}_RELAY",
        _yes_or_no,
        "Whether `serve` also relays the outbox; false where `relay` runs beside it.",
        default="true",
    )
    relay_batch: int = _setting(
        f"{PREFIX}_RELAY_BATCH",
        _whole(1, 10_000),
        "Messages that the relay hands over at a time.",
        default="500",
    )
    relay_poll_ms: int = _setting(
        f"{PREFIX}_RELAY_POLL_MS",
        _whole(1, 60_000),
        "How often an idle relay looks for messages of other processes.",
        default="50",
    )
    rule_links: bool = _setting(
        f"{PREFIX}_RULE_LINKS",
        _yes_or_no,
        "Whether answers link to the rule, which AlgaPSA serves and this service does not.",
        default="true",
    )
    rate_limit_enforce: bool = _setting(
        "RATE_LIMIT_ENFORCE",
        _yes_or_no,
        "Whether requests over the rate limit are refused; if not, they are only logged.",
        default="false",
    )
    shutdown_grace_s: int = _setting(
        f"{PREFIX}_SHUTDOWN_GRACE_S",
        _whole(0, 3600),
        "How long requests and messages in flight may take to finish after SIGTERM.",
        default="20",
    )
    log_format: str = _setting(
        f"{PREFIX}_LOG_FORMAT", _one_of("json", "console"), "json or console.", default="json"
    )
    log_level: str = _setting(
        f"{PREFIX}_LOG_LEVEL",
        _one_of("debug", "info", "warning", "error"),
        "debug, info, warning or error.",
        default="info",
    )

    def __attrs_post_init__(self) -> None:
        for variable, engine in (
            (f"{PREFIX}_JOB_QUEUE", self.job_queue),
            (f"{PREFIX}_EVENT_BUS", self.event_bus),
        ):
            in_memory = self.database_url.kind is StorageKind.MEMORY
            if engine is not None and (engine is Engine.MEMORY) != in_memory:
                raise SettingsError(
                    variable,
                    "procrastinate goes with a PostgreSQL in DATABASE_URL, memory with `memory:`",
                )

    def on_server(self, url: str) -> "Settings":
        """The same settings for the PostgreSQL at `url`."""
        database_url = DatabaseUrl(StorageKind.POSTGRESQL, url)
        # environ makes an attrs class of this one, which mypy has no plugin to know.
        return evolve(self, database_url=database_url)  # type: ignore[misc]

    @property
    def pool_timeout_s(self) -> float:
        return self.pool_timeout_ms / 1000

    @property
    def relay_poll_s(self) -> float:
        return self.relay_poll_ms / 1000

    @property
    def job_engine(self) -> Engine:
        return self.job_queue or self._default_engine

    @property
    def event_engine(self) -> Engine:
        return self.event_bus or self._default_engine

    @property
    def _default_engine(self) -> Engine:
        in_memory = self.database_url.kind is StorageKind.MEMORY
        return Engine.MEMORY if in_memory else Engine.PROCRASTINATE


def read_settings(variables: Mapping[str, str] = os.environ) -> Settings:
    """The settings that an environment (or any mapping in its form) holds.

    Raises:
        SettingsError: one is missing or wrong.
    """
    try:
        return environ.to_config(Settings, dict(variables))
    except environ.MissingEnvValueError as error:
        variable = str(error.args[0])
        raise SettingsError(variable, f"is not set; it {_DATABASE_URLS}") from error


def settings_help() -> str:
    """All variables with their defaults and meanings, a line each."""
    return environ.generate_help(Settings, display_defaults=True)
