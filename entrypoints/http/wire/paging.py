from starlette.datastructures import QueryParams

from automation_retry.application import PageRequest
from automation_retry.entrypoints.http.wire.errors import InvalidQuery

_DEFAULTS = PageRequest()
# The last page keeps (page - 1) * limit within the 64 bits of an SQL OFFSET.
_MAXIMA = {"page": 2**31 - 1, "limit": 100}
_MAX_DIGITS = 10


def page_request(query: QueryParams) -> PageRequest:
    """`page` from 1 and `limit` from 1 to 100, 25 when not given.

    Raises:
        InvalidQuery: one of them is another number, no number, or given twice.
    """
    values = {
        "page": _number(query.getlist("page"), _DEFAULTS.page),
        "limit": _number(query.getlist("limit"), _DEFAULTS.limit),
    }
    wrong = {
        name: f"one whole number from 1 to {_MAXIMA[name]}"
        for name, value in values.items()
        if not 1 <= value <= _MAXIMA[name]
    }
    if wrong:
        raise InvalidQuery(wrong)
    return PageRequest(**values)


def _number(texts: list[str], default: int) -> int:
    """0, which is out of range, where there is no such number."""
    match texts:
        case []:
            return default
        case [text] if text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS:
            return int(text)
        case _:
            return 0
