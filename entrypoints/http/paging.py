from attrs import frozen
from starlette.datastructures import QueryParams

from automation_retry.entrypoints.http.errors import InvalidQuery

_DEFAULTS = {"page": 1, "limit": 25}
# The largest page keeps (page - 1) * limit within the 64 bits of an SQL OFFSET.
_HIGHEST = {"page": 2**31 - 1, "limit": 100}
_MOST_DIGITS = 10


@frozen
class Paging:
    """Which page of a listing is asked for."""

    page: int
    limit: int


def paging_of(query: QueryParams) -> Paging:
    """`page` from 1 and `limit` from 1 to 100, 25 when not given.

    Raises:
        InvalidQuery: one of them is another number, no number, or there twice.
    """
    values = {name: _number(query.getlist(name), default) for name, default in _DEFAULTS.items()}
    wrong = {
        name: f"one whole number from 1 to {_HIGHEST[name]}"
        for name, value in values.items()
        if not 1 <= value <= _HIGHEST[name]
    }
    if wrong:
        raise InvalidQuery(wrong)
    return Paging(**values)


def _number(texts: list[str], default: int) -> int:
    """0, which is no page and no limit, where there is no such number."""
    match texts:
        case []:
            return default
        case [text] if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS:
            return int(text)
        case _:
            return 0
