"""JSON values: a converter between attrs classes and JSON, and encoding of all that JSON holds."""

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum
from typing import Any
from uuid import UUID

import orjson
from cattrs.preconf.orjson import OrjsonConverter, make_converter


def utc_text(moment: datetime) -> str:
    """ISO 8601 in UTC with microseconds and a `Z`, as `2026-11-23T22:05:00.123456Z`."""
    return moment.astimezone(UTC).isoformat("T", "microseconds").removesuffix("+00:00") + "Z"


def _moment(text: str, _: type[datetime]) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _uuid(text: str, _: type[UUID]) -> UUID:
    return UUID(text)


def new_converter() -> OrjsonConverter:
    """A converter that writes times as `utc_text` and ids as strings."""
    converter = make_converter()
    converter.register_unstructure_hook(datetime, utc_text)
    converter.register_structure_hook(datetime, _moment)
    converter.register_unstructure_hook(UUID, str)
    converter.register_structure_hook(UUID, _uuid)
    return converter


converter = new_converter()


def loads(text: str | bytes) -> Any:
    """The value of a JSON text; integers beyond 64 bits may become floats."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return json.loads(text)


def dumps(value: object) -> bytes:
    """JSON of whatever JSON can hold, and of UUIDs and enums; NaN and the infinities become null.

    Raises:
        TypeError: a value that JSON cannot hold.
    """
    try:
        return orjson.dumps(value, default=_as_dict)
    except orjson.JSONEncodeError:
        return _spell_out(value)


def _as_dict(value: object) -> dict[Any, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


class _Spelled(str):
    """Text that is JSON already."""

    __slots__ = ()


def _spell_out(value: object) -> bytes:
    """What orjson refuses: integers beyond 64 bits, lone surrogates, hundreds of levels.

    Without recursion, so that no depth is too much.
    """
    out: list[str] = []
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, _Spelled):
            out.append(one)
        elif isinstance(one, Enum):
            left.append(one.value)
        elif one is None or isinstance(one, str | int | float):
            finite = not isinstance(one, float) or math.isfinite(one)
            out.append(json.dumps(one if finite else None))
        elif isinstance(one, UUID):
            out.append(f'"{one}"')
        elif isinstance(one, datetime):
            out.append(f'"{one.isoformat()}"')
        else:
            opening, members, closing = _members(one)
            out.append(opening)
            left.append(_Spelled(closing))
            for index in reversed(range(len(members))):
                name, member = members[index]
                left += [member, _Spelled("," + name if index else name)]
    return "".join(out).encode()


def _members(value: object) -> tuple[str, list[tuple[str, object]], str]:
    if isinstance(value, list | tuple):
        return "[", [("", item) for item in value], "]"
    members = _as_dict(value).items()
    return "{", [(f"{json.dumps(str(name))}:", item) for name, item in members], "}"
