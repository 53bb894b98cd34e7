"""The service's own settings; each broker brings its own."""

import re
from collections.abc import Mapping
from ipaddress import ip_network
from typing import Any, LiteralString

import environ
from attrs import evolve, field, frozen

from automation_retry.adapters.broker_type import BrokerType
from automation_retry.adapters.environment import (
    PREFIX,
    SettingsError,
    milliseconds,
    one_of,
    seconds,
    size,
    variable,
    whole,
    yes_or_no,
)
from automation_retry.adapters.storage_kind import StorageKind
from automation_retry.application import MessageKind
from automation_retry.entrypoints.brokers import BROKERS
from automation_retry.entrypoints.settings.database_url import DatabaseUrl, database_url

JOB_QUEUE = f"{PREFIX}_JOB_QUEUE"
EVENT_BUS = f"{PREFIX}_EVENT_BUS"
ROOT_PATH = f"{PREFIX}_ROOT_PATH"
POOL_MIN_SIZE = f"{PREFIX}_POOL_MIN_SIZE"
POOL_MAX_SIZE = f"{PREFIX}_POOL_MAX_SIZE"

_DEFAULT = "default: the first that works with DATABASE_URL"


def _carriers(kind: MessageKind) -> str:
    return ", ".join(name for name, broker in BROKERS.items() if kind in broker.kinds)


def _root_path(text: str) -> str:
    if re.fullmatch(r"(/[A-Za-z0-9._~-]+)*/?", text):
        return text.rstrip("/")
    raise ValueError(f"must be a path as /psa, not {text!r}")


def _addresses(text: str) -> tuple[str, ...]:
    addresses = tuple(one.strip() for one in text.split(",") if one.strip())
    for one in addresses:
        try:
            _ = one == "*" or ip_network(one)
        except ValueError:
            raise ValueError(
                f"must be addresses or networks with commas, or *, not {one!r}"
            ) from None
    return addresses


@frozen
class ChosenBroker:
    """A broker with the values of its own environment variables."""

    type: BrokerType
    variables: Any = field(repr=False)
    """An instance of `type.variables`, which may hold a password; None where it has none."""


@environ.config(prefix="", frozen=True)
class Settings:
    """The settings of one process, read at start."""

    database_url: DatabaseUrl = variable(
        "DATABASE_URL", database_url, "memory:, embedded:PATH or postgresql://…", secret=True
    )
    job_queue: str = variable(
        JOB_QUEUE,
        str,
        f"Broker that carries the jobs: {_carriers(MessageKind.JOB)}; {_DEFAULT}.",
        default="",
    )
    event_bus: str = variable(
        EVENT_BUS,
        str,
        f"Broker that carries the events: {_carriers(MessageKind.EVENT)}; {_DEFAULT}.",
        default="",
    )
    pool_min_size: int = variable(
        POOL_MIN_SIZE,
        whole(1, 1000),
        "Connections to PostgreSQL that each process keeps open.",
        default="2",
    )
    pool_max_size: int = variable(
        POOL_MAX_SIZE,
        whole(1, 1000),
        "Connections to PostgreSQL that each process opens at most.",
        default="10",
    )
    pooler: str = variable(
        f"{PREFIX}_POOLER",
        one_of("auto", "session", "transaction"),
        "How a pooler before PostgreSQL assigns sessions: transaction, session (also without a "
        "pooler), or auto, which recognises poolers as pgbouncer.",
        default="auto",
    )
    statements_by_tenant: bool = variable(
        f"{PREFIX}_STATEMENTS_BY_TENANT",
        yes_or_no,
        "Whether concurrent requests share a statement only within a tenant, as for Citus.",
        default="false",
    )
    request_timeout_ms: int = variable(
        f"{PREFIX}_REQUEST_TIMEOUT_MS",
        milliseconds(100, 3_600_000),
        "How long a request is worked on, whatever it waits for, before it is answered 503.",
        default="10000",
    )
    pool_timeout_ms: int = variable(
        f"{PREFIX}_POOL_TIMEOUT_MS",
        milliseconds(1, 3_600_000),
        "How long a request waits for a free connection before it answers 503.",
        default="5000",
    )
    relay: bool = variable(
        f"{PREFIX}_RELAY",
        yes_or_no,
        "Whether `serve` also relays the outbox; false where `relay` runs beside it.",
        default="true",
    )
    relay_batch: int = variable(
        f"{PREFIX}_RELAY_BATCH",
        whole(1, 10_000),
        "Messages that the relay sends at a time.",
        default="500",
    )
    relay_poll_ms: int = variable(
        f"{PREFIX}_RELAY_POLL_MS",
        milliseconds(1, 60_000),
        "How soon a relay looks again for messages of other processes; less often, down to once a "
        "second (with Procrastinate, in five), while it finds none.",
        default="50",
    )
    delivery_warning_s: int = variable(
        f"{PREFIX}_DELIVERY_WARNING_S",
        seconds(1, 86_400),
        "Age of a message that waits for its broker from which on `/readyz` warns.",
        default="60",
    )
    payload_limit_bytes: int = variable(
        f"{PREFIX}_PAYLOAD_LIMIT_BYTES",
        size(1024, 2**27),
        "Bytes as stored (1024 to 134217728) beyond which payloads and error texts are left out.",
        default=str(2**20),
    )
    rule_links: bool = variable(
        f"{PREFIX}_RULE_LINKS",
        yes_or_no,
        "Whether answers link to the rule, which AlgaPSA serves and this service does not.",
        default="true",
    )
    root_path: str = variable(
        ROOT_PATH,
        _root_path,
        "Path under which a proxy serves this API, as /psa; all links begin with it.",
        default="",
    )
    trusted_proxies: tuple[str, ...] = variable(
        f"{PREFIX}_TRUSTED_PROXIES",
        _addresses,
        "Addresses or networks, with commas, whose X-Forwarded-For is believed; * for all.",
        default="",
    )
    rate_limit_enforce: bool = variable(
        "RATE_LIMIT_ENFORCE",
        yes_or_no,
        "Whether requests over the rate limit are refused; if not, they are only logged.",
        default="false",
    )
    shutdown_grace_s: int = variable(
        f"{PREFIX}_SHUTDOWN_GRACE_S",
        seconds(0, 3600),
        "How long requests and messages in progress may take to finish after SIGTERM.",
        default="20",
    )
    log_format: str = variable(
        f"{PREFIX}_LOG_FORMAT", one_of("json", "console"), "json or console.", default="json"
    )
    log_level: str = variable(
        f"{PREFIX}_LOG_LEVEL",
        one_of("debug", "info", "warning", "error", warn="warning"),
        "debug, info, warning or error.",
        default="info",
    )
    # Not variables of their own: `read_settings` chooses them by the names above.
    jobs: ChosenBroker = field(kw_only=True, default=None)
    events: ChosenBroker = field(kw_only=True, default=None)

    def __attrs_post_init__(self) -> None:
        least, most = self.pool_min_size, self.pool_max_size
        if least > most:
            raise SettingsError(
                POOL_MIN_SIZE, f"{least} is more than {POOL_MAX_SIZE}, which is {most}"
            )

    @property
    def job_broker(self) -> str:
        """The name of the broker that carries the jobs."""
        return self.jobs.type.name

    @property
    def event_broker(self) -> str:
        """The name of the broker that carries the events."""
        return self.events.type.name

    @property
    def own_sessions(self) -> bool | None:
        """Whether each connection has a session of its own; None where that is to be found out."""
        return {"session": True, "transaction": False}.get(self.pooler)

    @property
    def request_timeout_s(self) -> float:
        return self.request_timeout_ms / 1000

    @property
    def pool_timeout_s(self) -> float:
        return self.pool_timeout_ms / 1000

    @property
    def relay_poll_s(self) -> float:
        return self.relay_poll_ms / 1000

    @property
    def kinds(self) -> frozenset[MessageKind]:
        """The kinds of messages that are written at all."""
        chosen = {MessageKind.JOB: self.jobs, MessageKind.EVENT: self.events}
        return frozenset(kind for kind, broker in chosen.items() if not broker.type.discards)

    @property
    def hand_over(self) -> Mapping[MessageKind, LiteralString]:
        """How commits hand messages over, for each kind whose broker is in the same database."""
        chosen = {MessageKind.JOB: self.jobs, MessageKind.EVENT: self.events}
        return {
            kind: broker.type.hand_over[kind]
            for kind, broker in chosen.items()
            if kind in broker.type.hand_over
        }

    def on_server(self, url: str) -> "Settings":
        """The same settings for the PostgreSQL at `url`."""
        return replace(self, database_url=DatabaseUrl(StorageKind.POSTGRESQL, url))


def replace(settings: Settings, **changes: Any) -> Settings:
    """The settings with these changes."""
    # environ makes an attrs class of Settings, which mypy does not know.
    return evolve(settings, **changes)  # type: ignore[misc]
