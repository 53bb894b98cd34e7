"""JSON as it is sent: orjson where it can, spelled out where it cannot."""

import json
import math
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import orjson
from starlette.responses import Response


class JsonResponse(Response):
    """Whatever `encode` takes. No cache may keep it, since what it shows depends on the key."""

    media_type = "application/json"

    def __init__(
        self, body: object, status_code: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(encode(body), status_code, headers)
        self.raw_headers.append((b"cache-control", b"no-store"))


def encode(body: object) -> bytes:
    """Valid JSON for whatever JSON can hold, and for UUIDs; NaN and the infinities become null.

    Raises:
        TypeError: a value that JSON cannot hold.
    """
    try:
        return orjson.dumps(body, default=_as_dict)
    except orjson.JSONEncodeError:
        return _spell_out(body)


def _as_dict(value: object) -> dict[Any, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


class _Spelled(str):
    """Text that is JSON already."""

    __slots__ = ()


def _spell_out(body: object) -> bytes:
    """What orjson refuses: integers beyond 64 bits, lone surrogates, hundreds of levels."""
    out: list[str] = []
    left = [body]
    while left:
        value = left.pop()
        if isinstance(value, _Spelled):
            out.append(value)
        elif value is None or isinstance(value, str | int | float):
            finite = not isinstance(value, float) or math.isfinite(value)
            out.append(json.dumps(value if finite else None))
        elif isinstance(value, UUID):
            out.append(f'"{value}"')
        else:
            opening, members, closing = _members(value)
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
