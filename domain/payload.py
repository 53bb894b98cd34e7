"""What an execution carries untouched: JSON values as the text in which they are stored."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Self

from attrs import field, frozen
from attrs.validators import instance_of

from automation_retry.domain.validators import moment_or_none, text, whole_or_none


class LogLevel(Enum):
    DEBUG = "debug"
    INFO = "info"
    WARN = "warn"
    ERROR = "error"


def utc_text(moment: datetime) -> str:
    """ISO 8601 in UTC with microseconds and a `Z`, as `2026-11-23T22:05:00.123456Z`."""
    return moment.astimezone(UTC).isoformat("T", "microseconds").removesuffix("+00:00") + "Z"


def _as_dict(value: object) -> dict[Any, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


@frozen(eq=False)
class Json:
    """A JSON value of any kind, depth and size, as text; equal if the values are equal."""

    text: str = field(repr=False)
    """Not checked: it is what a storage keeps, or what `of` wrote."""

    @classmethod
    def of(cls, value: Any) -> Self:
        """The text of a Python value.

        Raises:
            TypeError: JSON cannot hold the value.
            ValueError: it is NaN or infinite, not valid Unicode, or nested too deeply for Python.
        """
        try:
            text = json.dumps(value, ensure_ascii=False, allow_nan=False, default=_as_dict)
        except RecursionError:
            raise ValueError("a JSON value is nested too deeply") from None
        if not text.isascii():
            text.encode()  # refuses lone surrogates
        return cls(text)

    def value(self) -> Any:
        """The Python value.

        Raises:
            ValueError: it is nested too deeply, or has more digits, than Python's parser takes.
        """
        try:
            return json.loads(self.text)
        except RecursionError:
            raise ValueError("a JSON value is nested too deeply") from None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Json):
            return NotImplemented
        if self.text == other.text:
            return True
        try:
            return bool(self.value() == other.value())
        except ValueError:
            return False

    __hash__ = None  # type: ignore[assignment]  # equal values may have different texts


@frozen(kw_only=True)
class LogEntry:
    """One entry of an execution's log."""

    timestamp: datetime | None = field(default=None, validator=moment_or_none)
    level: LogLevel = field(validator=instance_of(LogLevel))
    message: str = field(validator=text)
    action_index: int | None = field(default=None, validator=whole_or_none)
    metadata: Mapping[str, Any] | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, line: Any) -> "LogEntry | None":
        """The entry that a line of a log is; None if it has any other form than the contract's."""
        if not isinstance(line, dict) or not line.keys() <= _FIELDS:
            return None
        try:
            text = line.get("timestamp")
            metadata = line.get("metadata")
            if metadata is not None and not isinstance(metadata, dict):
                return None
            return cls(
                timestamp=None if text is None else datetime.fromisoformat(text),
                level=LogLevel(line["level"]),
                message=line["message"],
                action_index=line.get("action_index"),
                metadata=metadata,
            )
        except (KeyError, TypeError, ValueError):
            return None

    def record(self) -> dict[str, Any]:
        """As JSON holds it: without the fields that are None."""
        fields = {
            "timestamp": self.timestamp and utc_text(self.timestamp),
            "level": self.level.value,
            "message": self.message,
            "action_index": self.action_index,
            "metadata": None if self.metadata is None else dict(self.metadata),
        }
        return {name: value for name, value in fields.items() if value is not None}


_FIELDS = {"timestamp", "level", "message", "action_index", "metadata"}


class ExecutionLog(Json):
    """The log of an execution: normally an array of entries, but engines write what they like."""

    __slots__ = ()

    @classmethod
    def of_entries(cls, entries: Iterable[LogEntry]) -> Self:
        """Raises what `Json.of` raises, and TypeError for anything but a `LogEntry`."""
        lines = list(entries)
        for entry in lines:
            if not isinstance(entry, LogEntry):
                raise TypeError("logs must be log entries")
        return cls.of([entry.record() for entry in lines])

    @property
    def entries(self) -> Sequence[LogEntry | Any]:
        """Each line as a `LogEntry`, or as it is where it has another form.

        A log that is not an array is one line.

        Raises:
            ValueError: as `value`.
        """
        value = self.value()
        lines = value if isinstance(value, list) else [value]
        return [LogEntry.parse(line) or line for line in lines]


def payload(value: Any) -> Json | None:
    """A payload of an execution, from JSON text or from a Python value."""
    return value if value is None or isinstance(value, Json) else Json.of(value)


def log(value: Json | Iterable[LogEntry] | None) -> ExecutionLog | None:
    """The log of an execution, from JSON text or from entries."""
    if value is None or isinstance(value, ExecutionLog):
        return value
    return ExecutionLog(value.text) if isinstance(value, Json) else ExecutionLog.of_entries(value)
