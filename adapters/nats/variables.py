import re

import environ

from automation_retry.adapters.environment import (
    PREFIX,
    SettingsError,
    seconds,
    variable,
    whole,
)
from automation_retry.adapters.nats.settings import SUBJECT, NatsSettings
from automation_retry.adapters.server_url import server_urls

_URL = f"{PREFIX}_NATS_URL"


def _servers(text: str) -> tuple[str, ...]:
    parsed = server_urls(text, "nats", "tls")
    for url in parsed:
        if not url.hostname:
            raise ValueError("must name a host: nats://HOST:4222")
        if url.path not in ("", "/") or url.query:
            raise ValueError("must end after host and port: nats://HOST:4222")
    return tuple(url.geturl() for url in parsed)


def _subject(text: str) -> str:
    if re.fullmatch(SUBJECT, text):
        return text
    raise ValueError(f"must be words of letters, digits, - and _ joined by dots, not {text!r}")


@environ.config(prefix="", frozen=True)
class NatsVariables:
    """The environment variables of NATS."""

    servers: tuple[str, ...] = variable(
        _URL,
        _servers,
        "Where NATS is, several servers of one cluster with commas; needed by the nats broker.",
        default="",
        secret=True,
    )
    replicas: int = variable(
        f"{PREFIX}_NATS_REPLICAS",
        whole(1, 5),
        "On how many servers of the cluster JetStream keeps each message.",
        default="1",
    )
    duplicate_window_s: int = variable(
        f"{PREFIX}_NATS_DUPLICATE_WINDOW_S",
        seconds(1, 86_400),
        "Seconds during which JetStream ignores a message that is sent again.",
        default="120",
    )
    subject_prefix: str = variable(
        f"{PREFIX}_NATS_SUBJECT_PREFIX",
        _subject,
        "Begins the subjects and, in capitals, the streams' names.",
        default="automation",
    )

    def __attrs_post_init__(self) -> None:
        # Only the chosen broker's variables are read, so a missing URL is known at start.
        if not self.servers:
            raise SettingsError(_URL, "is not set, and the nats broker needs it")

    def settings(self) -> NatsSettings:
        return NatsSettings(
            servers=self.servers,
            subject_prefix=self.subject_prefix,
            replicas=self.replicas,
            duplicate_window_s=self.duplicate_window_s,
        )
