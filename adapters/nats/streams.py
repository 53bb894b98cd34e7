"""The two streams: how they are made, and what makes one that exists unfit.

Fields and units (ns) are those of JetStream's API:
https://docs.nats.io/reference/reference-protocols/nats_api_reference
"""

from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Any

from attrs import frozen

from automation_retry.adapters.nats.settings import NatsSettings

_SECOND = 1_000_000_000
_UNLIMITED = -1


@frozen(kw_only=True)
class Stream:
    """A stream as this service needs it. Each tenant has a subject of its own in it."""

    name: str
    subject: str
    """What comes before the tenant."""
    retention: str
    discard: str
    """What goes when the operator has set a limit and it is reached: `new` or `old`."""
    max_age_s: float
    replicas: int
    duplicate_window_s: float

    def subject_of(self, tenant: object) -> str:
        return f"{self.subject}.{tenant}"

    @property
    def config(self) -> dict[str, Any]:
        """To make it with."""
        return {
            "name": self.name,
            "subjects": [self.subject_of("*")],
            "retention": self.retention,
            "storage": "file",
            "discard": self.discard,
            "max_age": int(self.max_age_s * _SECOND),
            "max_msgs": _UNLIMITED,
            "max_bytes": _UNLIMITED,
            "max_consumers": _UNLIMITED,
            "max_msgs_per_subject": _UNLIMITED,
            "max_msg_size": _UNLIMITED,
            "num_replicas": self.replicas,
            "duplicate_window": int(self.duplicate_window_s * _SECOND),
        }

    def faults(self, found: Mapping[str, Any]) -> Iterator[str]:
        """What keeps a stream with this configuration from doing, for an operator to change."""
        for name in ("retention", "storage"):
            if found[name] != self.config[name]:
                yield f"its {name} is {found[name]}, not {self.config[name]}"
        for name, unit, written in (
            ("num_replicas", 1, ""),
            ("duplicate_window", _SECOND, " s"),
        ):
            has, wanted = found.get(name, 0) / unit, self.config[name] / unit
            if has < wanted:
                yield f"its {name} is {has:g}{written}, less than {wanted:g}{written}"
        if not any(_covers(pattern, self.subject_of("*")) for pattern in found.get("subjects", ())):
            yield f"its subjects do not include {self.subject_of('*')}"
        if found.get("no_ack"):
            yield "it acknowledges nothing (no_ack)"
        if self.discard == "new" and _drops(found):
            yield "its limits (max_age, or discard old) throw away what nobody has done yet"


def job_stream(settings: NatsSettings) -> Stream:
    """Keeps every job until a consumer has acknowledged it."""
    return Stream(
        name=_name(settings, "EXECUTIONS"),
        subject=f"{settings.subject_prefix}.executions",
        retention="workqueue",
        discard="new",
        max_age_s=0,
        replicas=settings.replicas,
        duplicate_window_s=settings.duplicate_window_s,
    )


def event_stream(settings: NatsSettings) -> Stream:
    """Keeps events for any number of listeners."""
    return Stream(
        name=_name(settings, "EVENTS"),
        subject=f"{settings.subject_prefix}.execution.retried",
        retention="limits",
        discard="old",
        max_age_s=settings.event_max_age_s,
        replicas=settings.replicas,
        duplicate_window_s=settings.duplicate_window_s,
    )


def _name(settings: NatsSettings, suffix: str) -> str:
    return f"{settings.subject_prefix.replace('.', '_').upper()}_{suffix}"


def _covers(pattern: str, subject: str) -> bool:
    """Whether all that `subject` matches is matched by `pattern`; both may have wildcards."""
    for mine, its in zip_longest(pattern.split("."), subject.split(".")):
        if mine == ">" and its is not None:
            return True
        if mine not in {its, "*"} or its is None:
            return False
    return True


def _drops(found: Mapping[str, Any]) -> bool:
    def limited(name: str) -> bool:
        return bool(found.get(name, _UNLIMITED) > 0)

    return (
        limited("max_age")
        or (found.get("discard") != "new" and (limited("max_msgs") or limited("max_bytes")))
        or (limited("max_msgs_per_subject") and not found.get("discard_new_per_subject"))
    )
