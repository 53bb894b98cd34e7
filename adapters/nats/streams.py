"""The two streams: how they are created, and when an existing one is suitable.

Fields and units (ns) are those of JetStream's API:
https://docs.nats.io/reference/reference-protocols/nats_api_reference
"""

from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Any

from attrs import frozen

from automation_retry.adapters.nats.cloud_event import CLOUD_EVENT, CloudEvent
from automation_retry.adapters.nats.settings import NatsSettings
from automation_retry.adapters.wire.messages import Job
from automation_retry.application import MessageKind
from automation_retry.application.ports import Channel

_SECOND = 1_000_000_000
_UNLIMITED = -1


@frozen(kw_only=True)
class Stream:
    """A stream as this service needs it, with a subject for each tenant."""

    name: str
    subject: str
    """Without the tenant, which follows it."""
    retention: str
    discard: str
    """Which messages are dropped at a limit that the operator has set: `new` or `old`."""
    max_age_s: float
    replicas: int
    duplicate_window_s: float

    def subject_of(self, tenant: object) -> str:
        return f"{self.subject}.{tenant}"

    @property
    def config(self) -> dict[str, Any]:
        """The configuration with which it is created."""
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

    def problems(self, found: Mapping[str, Any]) -> Iterator[str]:
        """Why a stream with the configuration `found` is not suitable, for an operator to fix."""
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
            yield "its limits (max_age, or discard old) drop unprocessed messages"


def channels(settings: NatsSettings) -> Mapping[MessageKind, Channel]:
    """The subjects, for the documentation."""
    jobs, events = _job_stream(settings), _event_stream(settings)
    return {
        MessageKind.JOB: Channel(
            address=jobs.subject_of("{tenant}"),
            protocol="nats",
            meaning=f"A subject of the JetStream work queue {jobs.name}.",
            body=Job,
        ),
        MessageKind.EVENT: Channel(
            address=events.subject_of("{tenant}"),
            protocol="nats",
            meaning=f"A subject of the JetStream stream {events.name}.",
            body=CloudEvent,
            content_type=CLOUD_EVENT,
        ),
    }


def streams(settings: NatsSettings) -> Mapping[MessageKind, Stream]:
    """The stream of each kind of message."""
    return {MessageKind.JOB: _job_stream(settings), MessageKind.EVENT: _event_stream(settings)}


def _job_stream(settings: NatsSettings) -> Stream:
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


def _event_stream(settings: NatsSettings) -> Stream:
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
    """Whether `pattern` matches all that `subject` matches; both may have wildcards."""
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
