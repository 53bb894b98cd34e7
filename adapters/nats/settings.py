from collections.abc import Iterable
from typing import Any

from attrs import Attribute, field, frozen
from attrs.validators import ge, gt, le, matches_re, min_len

_SUBJECT = r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\Z"


def _urls(given: str | Iterable[str]) -> tuple[str, ...]:
    urls = given.split(",") if isinstance(given, str) else given
    return tuple(url.strip() for url in urls if url.strip())


@frozen(kw_only=True)
class NatsSettings:
    """Where NATS is, and how its streams are to keep what they are given."""

    servers: tuple[str, ...] = field(converter=_urls, validator=min_len(1), repr=False)
    """URLs of the servers of one cluster, as a list or with commas; they may hold passwords."""
    subject_prefix: str = field(default="automation", validator=matches_re(_SUBJECT))
    """Begins the subjects and, in capitals, the streams' names: `AUTOMATION_EXECUTIONS`."""
    replicas: int = field(default=1, validator=[ge(1), le(5)])
    """On how many servers of the cluster each message is kept, at least."""
    duplicate_window_s: float = field(default=120, validator=gt(0))
    """For so long, at least, a stream takes a message again without keeping it twice."""
    event_max_age_s: float = field(default=604_800, validator=ge(0))
    """An event stream is made to keep events for so long, 0 for ever; jobs are kept until done."""
    event_source: str = field(default="automation-retry", validator=min_len(1))
    """The CloudEvents `source`, a URI reference; with an event's id it is unique in the world."""
    timeout_s: float = field(default=5.0, validator=gt(0))
    """After so many seconds without an answer NATS counts as unavailable."""

    @event_max_age_s.validator
    def _outlives_the_window(self, _attribute: "Attribute[Any]", max_age: float) -> None:
        if 0 < max_age < self.duplicate_window_s:
            raise ValueError("event_max_age_s must not be less than duplicate_window_s")
