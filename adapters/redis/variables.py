import environ

from automation_retry.adapters.environment import PREFIX, SettingsError, urls, variable, whole
from automation_retry.adapters.redis.settings import RedisSettings

_URL = f"{PREFIX}_REDIS_URL"


def _url(text: str) -> str:
    parsed = urls("redis://", "rediss://", "unix://")(text)
    if len(parsed) > 1:
        raise ValueError("must be one URL")
    return parsed[0] if parsed else ""


@environ.config(prefix="", frozen=True)
class RedisVariables:
    """The environment variables of Redis; the names without prefix are AlgaPSA's."""

    url: str = variable(_URL, _url, "Where Redis is; needed by the redis broker.", default="")
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
