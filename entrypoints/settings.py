"""Settings from the environment; a wrong one is refused with its name before anything starts."""

import os
import re
from collections.abc import Callable, Mapping
from enum import Enum
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import environ
from attrs import evolve, frozen

from automation_retry.adapters.extras import install_command

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
    REDIS = "redis"
    NATS = "nats"


_DATABASE_URLS = (
    "must be `memory:` (nothing is kept), `embedded:PATH` (a PostgreSQL of its own under PATH) "
    "or `postgresql://USER:PASSWORD@HOST/DATABASE`"
)


_EXTRAS = {Engine.REDIS: "redis", Engine.NATS: "nats"}
"""Engines whose drivers are extras, with the modules that these bring."""


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


def _url(*schemes: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        for url in text.split(",") if text else ():
            if not url.strip().startswith(schemes):
                # The value may hold a password, so it is not repeated here.
                raise ValueError(f"must begin with {' or '.join(schemes)}")
        return text

    return parse


def _subject(text: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*", text):
        return text
    raise ValueError(f"must be words of letters, digits, - and _ joined by dots, not {text!r}")


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
        "Engine that takes the jobs: procrastinate, redis or nats; the first unless set.",
        default="",
    )
    event_bus: Engine | None = _setting(
        f"{PREFIX}_EVENT_BUS",
        _engine,
        "Engine that takes the events, chosen apart from that of the jobs.",
        default="",
    )
    redis_url: str = _setting(
        f"{PREFIX}_REDIS_URL",
        _url("redis://", "rediss://", "unix://"),
        "Where Redis is; needed by the redis engine.",
        default="",
    )
    redis_prefix: str = _setting(
        "REDIS_PREFIX", str, "Begins AlgaPSA's keys in Redis.", default="alga-psa:"
    )
    redis_stream_prefix: str = _setting(
        "REDIS_EVENT_STREAM_PREFIX",
        str,
        "Begins AlgaPSA's event streams, after REDIS_PREFIX.",
        default="event-stream:",
    )
    redis_stream_max_length: int = _setting(
        "REDIS_STREAM_MAX_LENGTH",
        _whole(1, 1_000_000_000),
        "About as many events AlgaPSA's stream keeps; jobs are all kept.",
        default="1000",
    )
    nats_url: str = _setting(
        f"{PREFIX}_NATS_URL",
        _url("nats://", "tls://"),
        "Where NATS is, several servers of one cluster with commas; needed by the nats engine.",
        default="",
    )
    nats_replicas: int = _setting(
        f"{PREFIX}_NATS_REPLICAS",
        _whole(1, 5),
        "On how many servers of the cluster JetStream keeps each message.",
        default="1",
    )
    nats_duplicate_window_s: int = _setting(
        f"{PREFIX}_NATS_DUPLICATE_WINDOW_S",
        _whole(1, 86_400),
        "For so long JetStream takes a message again without keeping it twice.",
        default="120",
    )
    nats_subject_prefix: str = _setting(
        f"{PREFIX}_NATS_SUBJECT_PREFIX",
        _subject,
        "Begins the subjects and, in capitals, the streams' names.",
        default="automation",
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
        in_memory = self.database_url.kind is StorageKind.MEMORY
        for variable, engine in (
            (f"{PREFIX}_JOB_QUEUE", self.job_engine),
            (f"{PREFIX}_EVENT_BUS", self.event_engine),
        ):
            if engine is Engine.PROCRASTINATE and in_memory:
                raise SettingsError(variable, "procrastinate needs a PostgreSQL in DATABASE_URL")
            if engine is Engine.MEMORY and not in_memory:
                raise SettingsError(variable, "memory goes with DATABASE_URL=memory: only")
            if engine in _EXTRAS and find_spec(_EXTRAS[engine]) is None:
                raise SettingsError(
                    variable,
                    f"the driver is missing: {install_command(engine.value)}",
                )
        for variable, url, engine in (
            (f"{PREFIX}_REDIS_URL", self.redis_url, Engine.REDIS),
            (f"{PREFIX}_NATS_URL", self.nats_url, Engine.NATS),
        ):
            if engine in self.engines and not url:
                raise SettingsError(variable, f"is not set, and the {engine.value} engine needs it")

    @property
    def engines(self) -> frozenset[Engine]:
        """Those in use."""
        return frozenset({self.job_engine, self.event_engine})

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
