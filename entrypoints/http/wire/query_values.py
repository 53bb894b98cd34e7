"""What a parameter of a query may be, beside `values.Whole`; ValueError for anything else."""

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, ClassVar, Final
from uuid import UUID

from attrs import frozen

from automation_retry.adapters.wire.json_schema import Schema
from automation_retry.domain import is_failure_group_id, is_uuid

_RFC_3339: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]((?:[01][0-9]|2[0-3]):[0-5][0-9]):([0-5][0-9]|60)"
    r"([.][0-9]+)?([Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)
_LARGEST: Final = 10**15
_NUMBER: Final = re.compile(r"[0-9]{1,40}(?:[.][0-9]{1,40})?(?:[Ee][+-]?[0-9]{1,3})?")


@frozen
class Uuid:
    """8-4-4-4-12 hexadecimal digits, in either case."""

    schema: ClassVar[Schema] = {"type": "string", "format": "uuid"}
    expected: ClassVar = "one UUID, 8-4-4-4-12 hexadecimal digits"

    def of_text(self, text: str) -> UUID:
        if not is_uuid(text):
            raise ValueError
        return UUID(text)


@frozen
class GroupId:
    """The id of a failure group."""

    schema: ClassVar[Schema] = {"type": "string", "pattern": "^fg_[0-9a-f]{16}$"}
    expected: ClassVar = "one failure_group_id, as fg_ and 16 hexadecimal digits in lower case"

    def of_text(self, text: str) -> str:
        if not is_failure_group_id(text):
            raise ValueError
        return text


@frozen
class OneOf:
    """One of an enumeration's values."""

    members: type[Enum]
    also: Sequence[tuple[str, Enum]] = ()
    """Other texts, with what they mean."""

    @property
    def texts(self) -> Mapping[str, Enum]:
        return {**{str(one.value): one for one in self.members}, **dict(self.also)}

    @property
    def schema(self) -> Schema:
        return {"type": "string", "enum": [*self.texts]}

    @property
    def expected(self) -> str:
        return f"one of {', '.join(self.texts)}"

    def of_text(self, text: str) -> Any:
        try:
            return self.texts[text]
        except KeyError:
            raise ValueError from None


@frozen
class SomeOf:
    """Different names, with commas between; as values of an enumeration if it is one."""

    names: Sequence[str] | type[Enum]

    @property
    def _values(self) -> Mapping[str, Any]:
        if isinstance(self.names, type):
            return {str(one.value): one for one in self.names}
        return {name: name for name in self.names}

    @property
    def schema(self) -> Schema:
        one = f"({'|'.join(self._values)})"
        return {"type": "string", "pattern": f"^{one}(,{one})*$"}

    @property
    def expected(self) -> str:
        return f"one or several of {', '.join(self._values)}, with commas, each once"

    def of_text(self, text: str) -> Collection[Any]:
        names = text.split(",")
        values = self._values
        if len({*names}) < len(names) or not values.keys() >= {*names}:
            raise ValueError
        return frozenset(values[name] for name in names)


@frozen
class Time:
    """A time of RFC 3339, with seconds and a zone; in UTC.

    Parts of a microsecond are rounded up: no stored time lies between.
    """

    schema: ClassVar[Schema] = {"type": "string", "format": "date-time"}
    expected: ClassVar = (
        "one RFC 3339 time with seconds and a zone, as 2026-11-27T08:00:00Z or "
        "2026-11-27T09:00:00%2B01:00 (a + in a URL is %2B)"
    )

    def of_text(self, text: str) -> datetime:
        parts = _RFC_3339.fullmatch(text)
        if not parts:
            raise ValueError
        day, minute, second, fraction, zone = parts.groups(default="")
        leap = second == "60"
        moment = datetime.fromisoformat(
            f"{day}T{minute}:{'59' if leap else second}{fraction[:7]}{zone.upper()}"
        )
        try:
            moment = moment.astimezone(UTC)
            if leap and (moment.hour, moment.minute) != (23, 59):
                raise ValueError
            part = timedelta(microseconds=1) if fraction[7:].strip("0") else timedelta()
            # A clock without leap seconds shows the next second during one.
            return moment + timedelta(seconds=leap) + part
        except OverflowError as error:
            raise ValueError from error


@frozen
class Boolean:
    schema: ClassVar[Schema] = {"type": "boolean"}
    expected: ClassVar = "true or false"

    def of_text(self, text: str) -> bool:
        if text not in {"true", "false"}:
            raise ValueError
        return text == "true"


@frozen
class Number:
    """A number from 0, with an exponent or without."""

    schema: ClassVar[Schema] = {"type": "number", "minimum": 0, "maximum": _LARGEST}
    expected: ClassVar = f"one number from 0 to {_LARGEST}"

    def of_text(self, text: str) -> float:
        if not _NUMBER.fullmatch(text):
            raise ValueError
        number = float(text)
        if number > _LARGEST:
            raise ValueError
        return number


@frozen
class Text:
    """Characters of any kind but NUL, which no database keeps."""

    minimum: int
    maximum: int

    @property
    def schema(self) -> Schema:
        return {
            "type": "string",
            "minLength": self.minimum,
            "maxLength": self.maximum,
            "pattern": "^[^\\u0000]*$",
        }

    @property
    def expected(self) -> str:
        return f"one text of {self.minimum} to {self.maximum} characters, without NUL"

    def of_text(self, text: str) -> str:
        if not self.minimum <= len(text) <= self.maximum or "\0" in text:
            raise ValueError
        return text
