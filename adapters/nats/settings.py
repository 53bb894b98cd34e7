from typing import Any, Final

from attrs import Attribute, field, frozen
from attrs.validators import ge, gt, instance_of, le, matches_re, min_len

SUBJECT: Final = r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*"
"""A subject without wildcards, matched in full."""


@frozen(kw_only=True)
class NatsSettings:
    """Where NATS is, and the configuration of its streams."""

    servers: tuple[str, ...] = field(validator=[instance_of(tuple), min_len(1)], repr=False)
    """URLs of the servers of one cluster; they may hold passwords."""
    subject_prefix: str = field(default="automation", validator=matches_re(SUBJECT))
    """Begins the subjects and, in capitals, the streams' names: `AUTOMATION_EXECUTIONS`."""
    replicas: int = field(default=1, validator=[ge(1), le(5)])
    """The least number of servers of the cluster that keep each message."""
    duplicate_window_s: float = field(default=120, validator=gt(0))
    """Seconds, at least, in which a stream does not store a message again that is sent again."""
    event_max_age_s: float = field(default=604_800, validator=ge(0))
    """Seconds for which a new event stream keeps events; 0 for ever. Jobs are kept until done."""
    event_source: str = field(default="automation-retry", validator=min_len(1))
    """The CloudEvents `source`, a URI reference; with an event's id it is globally unique."""
    timeout_s: float = field(default=5.0, validator=gt(0))
    """Seconds without an answer after which NATS counts as unavailable."""

    @event_max_age_s.validator
    def _outlives_the_window(self, _attribute: "Attribute[Any]", max_age: float) -> None:
        if 0 < max_age < self.duplicate_window_s:
            raise ValueError("event_max_age_s must not be less than duplicate_window_s")
