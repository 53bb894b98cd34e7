"""Opaque cursors: where a list goes on, valid for the same list only."""

import hashlib
import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import Any, Final

from automation_retry.application.errors import InvalidParameters

_TEXT: Final = re.compile(r"[A-Za-z0-9_-]+")
A_CURSOR: Final = "pagination.nextCursor of an answer with the same filters, sort and order"


def cursor_of(listed: Sequence[str], position: Sequence[str | None]) -> str:
    """A cursor that goes on after `position` in the list that `listed` describes.

    What describes a list is everything that decides which rows it has and in which order, its
    tenant included.
    """
    content = json.dumps([_digest(listed), *position], separators=(",", ":"))
    return urlsafe_b64encode(content.encode()).decode().rstrip("=")


def position_in(cursor: str, listed: Sequence[str]) -> Sequence[str | None]:
    """The position in a cursor.

    Raises:
        InvalidParameters: it is no cursor, or one of another list.
    """
    try:
        content = _content(cursor)
    except (ValueError, RecursionError) as error:
        raise InvalidParameters({"cursor": A_CURSOR}) from error
    match content:
        case [digest, *position] if digest == _digest(listed) and all(map(_is_key, position)):
            return position
        case _:
            raise InvalidParameters({"cursor": A_CURSOR})


def _content(cursor: str) -> Any:
    if not _TEXT.fullmatch(cursor):
        raise ValueError
    return json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))


def _is_key(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _digest(listed: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps(listed).encode()).hexdigest()[:16]
