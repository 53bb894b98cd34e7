import re
from urllib.parse import parse_qsl, urlsplit

import environ

from automation_retry.adapters.environment import PREFIX, SettingsError, variable, whole
from automation_retry.adapters.redis.settings import RedisSettings
from automation_retry.adapters.server_url import server_url

_URL = f"{PREFIX}_REDIS_URL"
_OPTIONS = frozenset(
    {
        "client_name",
        "db",
        "health_check_interval",
        "password",
        "socket_connect_timeout",
        "socket_keepalive",
        "socket_timeout",
        "ssl_ca_certs",
        "ssl_ca_path",
        "ssl_cert_reqs",
        "ssl_certfile",
        "ssl_check_hostname",
        "ssl_keyfile",
        "username",
    }
)
"""Others, as the protocol's version, would change what this adapter relies on."""


def _url(text: str) -> str:
    if not text:
        return ""
    url = server_url(text.partition(",redis")[0], "redis", "rediss", "unix")
    if "," in (url.hostname or "") or ",redis" in text:
        raise ValueError("must be one URL, of one host")
    if url.scheme == "unix" and not url.path.strip("/"):
        raise ValueError("must name a socket: unix:///PATH")
    if url.scheme != "unix" and not re.fullmatch("(/[0-9]{0,6})?", url.path):
        raise ValueError("must end with the number of a database or nothing: redis://HOST:6379/0")
    _refuse_unknown_options(text)
    return text


def _refuse_unknown_options(url: str) -> None:
    """The driver itself notices what is wrong in the query only when it opens a connection."""
    from redis.asyncio import ConnectionPool

    unknown = {name for name, _ in parse_qsl(urlsplit(url).query, True)} - _OPTIONS  # noqa: FBT003
    if unknown:
        raise ValueError(f"may have only these options after the ?: {', '.join(sorted(_OPTIONS))}")
    try:
        ConnectionPool.from_url(url).make_connection()  # type: ignore[no-untyped-call]
    except Exception:  # noqa: BLE001 - each option has errors of its own
        raise ValueError("has an option after the ? whose value is wrong") from None


@environ.config(prefix="", frozen=True)
class RedisVariables:
    """The environment variables of Redis; the names without prefix are AlgaPSA's."""

    url: str = variable(
        _URL, _url, "Where Redis is; needed by the redis broker.", default="", secret=True
    )
    prefix: str = variable(
        "REDIS_PREFIX", str, "Begins AlgaPSA's keys in Redis.", default="alga-psa:"
    )
    stream_prefix: str = variable(
        "REDIS_EVENT_STREAM_PREFIX",
        str,
        "Begins AlgaPSA's event streams, after REDIS_PREFIX.",
        default="event-stream:",
    )
    stream_max_length: int = variable(
        "REDIS_STREAM_MAX_LENGTH",
        whole(1, 1_000_000_000),
        "About how many events AlgaPSA's stream keeps; all jobs are kept.",
        default="1000",
    )

    def __attrs_post_init__(self) -> None:
        # Only the chosen broker's variables are read, so a missing URL is known at start.
        if not self.url:
            raise SettingsError(_URL, "is not set, and the redis broker needs it")

    def settings(self) -> RedisSettings:
        return RedisSettings(
            url=self.url,
            prefix=self.prefix,
            stream_prefix=self.stream_prefix,
            stream_max_length=self.stream_max_length,
        )
