from attrs import field, frozen
from attrs.validators import ge, gt

EVENT_CHANNEL = "global"


@frozen(kw_only=True)
class RedisSettings:
    """Where Redis is, and AlgaPSA's names and limits for what is stored there."""

    url: str = field(repr=False)  # it may hold a password
    """`redis://`, `rediss://` or `unix://`."""
    prefix: str = "alga-psa:"
    """AlgaPSA's `REDIS_PREFIX`."""
    stream_prefix: str = "event-stream:"
    """AlgaPSA's `REDIS_EVENT_STREAM_PREFIX`."""
    stream_max_length: int = field(default=1000, validator=ge(1))
    """The approximate number of events that are kept, read or not (`REDIS_STREAM_MAX_LENGTH`).
    Jobs are all kept."""
    marker_ttl_s: float = field(default=86_400, validator=ge(1))
    """Seconds in which a message that is sent again is not added again."""
    timeout_s: float = field(default=5.0, validator=gt(0))
    """Seconds without an answer after which Redis counts as unavailable."""
    max_message_bytes: int = field(default=1_048_576, validator=ge(1))
    """Larger messages are refused. The default is the least that `proto-max-bulk-len` can be."""

    @property
    def job_stream(self) -> str:
        """The key of the stream."""
        return f"{self.prefix}automation:executions"

    def event_stream(self, event_type: str) -> str:
        """The key of the stream of one type of events."""
        return f"{self.prefix}{self.stream_prefix}{EVENT_CHANNEL}:{event_type}"
