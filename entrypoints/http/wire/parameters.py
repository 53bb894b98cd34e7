"""Queries and bodies as attrs classes, whose fields say what they may be.

A field's `Annotated` holds one of `wire.values`, which is both its check and its schema, and its
meaning. Fields without a default are required; others than those of the class are refused. With
`| None` a field may be absent, but not null, unless its value allows that: see `OrNull`.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import (
    Annotated,
    Any,
    ClassVar,
    Final,
    TypeVar,
    get_args,
    get_origin,
    get_type_hints,
)

import attrs
import orjson
from cattrs import ClassValidationError, Converter, ForbiddenExtraKeysError
from starlette.datastructures import QueryParams

from automation_retry.adapters.wire.json_schema import may_be_none, not_none
from automation_retry.application import InvalidParameters

_BODY_ITSELF: Final = "body"
_AN_OBJECT: Final = "a JSON object"
_A_BODY: Final = "a JSON object (RFC 8259, UTF-8)"
_MOST_NAMED: Final = 20
"""A request may have a hundred thousand wrong names; the answer has the first ones."""
_LONGEST_NAME: Final = 100

Structured = TypeVar("Structured")


class Parameters:
    """A query, a body, or an object in one."""

    __slots__ = ()
    other_fields: ClassVar = False


@attrs.frozen
class NoParameters(Parameters):
    """A query that takes none, so that one which is misspelt is told."""


def require_checks(cls: type) -> None:
    """Raises TypeError unless every field of a query or body has a check.

    That is one of `wire.values`, or another class of parameters; either may be absent (`| None`).
    """
    hints = get_type_hints(cls, include_extras=True)
    for field in attrs.fields(cls):
        if not (issubclass(cls, Parameters) and _is_checked(hints[field.name])):
            raise TypeError(
                f"{cls.__name__}.{field.name} would not be checked: the fields of Parameters are "
                "like `Annotated[int, Whole(1, 10), 'Its meaning.']`, or other Parameters"
            )


def _is_checked(hint: Any) -> bool:
    if _has_value(hint):
        return True
    if isinstance(hint, type) and issubclass(hint, Parameters):
        require_checks(hint)
        return True
    return may_be_none(hint) and _is_checked(not_none(hint))


def read_query(query: QueryParams, cls: type[Structured]) -> Structured:
    """The query as an instance of `cls`.

    Raises:
        InvalidParameters: a parameter is unknown, missing, given twice, or not what it may be.
    """
    texts = defaultdict(list)
    for name, text in query.multi_items():
        texts[name].append(text)
    return _structured(_QUERY, dict(texts), cls)


def read_body(text: bytes, cls: type[Structured]) -> Structured:
    """The JSON object as an instance of `cls`.

    Raises:
        InvalidParameters: it is no JSON object, or a field is unknown, missing, repeated, or not
            what it may be.
    """
    repeating: list[_Repeating] = []

    def an_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            found = _Repeating(pairs)
            repeating.append(found)
        return found

    try:
        orjson.loads(text)  # stricter than json: UTF-8, no NaN, no halves of a character
        body = json.loads(text, object_pairs_hook=an_object)
        repeated = [*islice(_repeated(body, ""), _MOST_NAMED)] if repeating else []
    except (ValueError, RecursionError) as error:
        raise InvalidParameters({_BODY_ITSELF: _A_BODY}) from error
    if not isinstance(body, dict):
        raise InvalidParameters({_BODY_ITSELF: _A_BODY})
    if repeated:
        raise InvalidParameters(dict.fromkeys(repeated, "given once"))
    return _structured(_BODY, body, cls)


class _Repeating(dict[str, Any]):
    """An object in which names come more than once."""

    __slots__ = ("names",)

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        counts = Counter(name for name, _ in pairs)
        self.names = [name for name, count in counts.items() if count > 1]


def _repeated(value: object, path: str) -> Iterator[str]:
    """The names that come more than once; long ones are cut, whatever they are inside of."""
    if isinstance(value, _Repeating):
        yield from (f"{path}{name}"[:_LONGEST_NAME] for name in value.names)
    if isinstance(value, dict):
        for name, inner in value.items():
            if isinstance(inner, dict | list):
                yield from _repeated(inner, f"{path}{name}."[:_LONGEST_NAME])
    if isinstance(value, list):
        for inner in value:
            if isinstance(inner, dict | list):
                yield from _repeated(inner, path)


def _structured(converter: Converter, raw: Mapping[str, Any], cls: type[Structured]) -> Structured:
    try:
        return converter.structure(raw, cls)
    except ClassValidationError as error:
        raise InvalidParameters(dict(islice(_expected(error, ""), _MOST_NAMED))) from error


def _expected(error: ClassValidationError, path: str) -> Iterator[tuple[str, str]]:
    """What would be right, by the names of what is wrong; nested ones after a dot."""
    noted, others = error.group_exceptions()
    for one, note in noted:
        name = f"{path}{attrs.fields_dict(error.cl)[note.name].alias}"
        match one:
            case ClassValidationError():
                yield from _expected(one, f"{name}.")
            case KeyError():
                yield name, f"required: {_expected_of(note.type)}"
            case _:
                yield name, _expected_of(note.type)
    for other in others:
        if isinstance(other, ForbiddenExtraKeysError):
            known = ", ".join(field.alias for field in attrs.fields(other.cl)) or "none"
            for name in sorted(other.extra_fields)[:_MOST_NAMED]:
                yield f"{path}{name}"[:_LONGEST_NAME], f"no such parameter; there are: {known}"


def _expected_of(hint: Any) -> str:
    hint = not_none(hint)
    return str(_value_of(hint).expected) if _has_value(hint) else _AN_OBJECT


def _value_of(hint: Any) -> Any:
    return next(note for note in get_args(hint)[1:] if hasattr(note, "expected"))


def _has_value(hint: Any) -> bool:
    return get_origin(hint) is Annotated and any(
        hasattr(note, "expected") for note in get_args(hint)[1:]
    )


def _reading(read: Callable[[Any, Any], Any]) -> Callable[[Any], Callable[[Any, Any], Any]]:
    """A factory of cattrs' hooks."""

    def hook_of(hint: Any) -> Callable[[Any, Any], Any]:
        value = _value_of(hint)
        return lambda raw, _: read(value, raw)

    return hook_of


def _of_texts(value: Any, texts: Sequence[str]) -> Any:
    [text] = texts  # given once
    return value.of_text(text)


def _converter(read: Callable[[Any, Any], Any]) -> Converter:
    """`read` makes a value of what was sent, or raises ValueError."""
    converter = Converter(forbid_extra_keys=True, use_alias=True)

    def present(hint: Any) -> Callable[[Any, Any], Any]:
        return lambda raw, _: converter.structure(raw, not_none(hint))

    converter.register_structure_hook_factory(may_be_none, present)
    converter.register_structure_hook_factory(_has_value, _reading(read))
    return converter


_QUERY: Final = _converter(_of_texts)
_BODY: Final = _converter(lambda value, raw: value.of_json(raw))
