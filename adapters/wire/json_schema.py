"""JSON Schemas (2020-12) of what travels, from the types and bounds of attrs classes.

A schema is plain data, in which a `Component` stands for a schema that has a name; `References`
puts a reference in its place. In an `Annotated`, a text is a description, and an object with a
`schema` has the type's schema. An object may have fields that its class does not know. A class with
`other_fields = False` refuses them; there, None is a field that is absent, not one that is null.
"""

import types
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import Enum
from functools import reduce
from operator import or_
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin, get_type_hints
from uuid import UUID

import attrs
from attrs import frozen

from automation_retry.domain import (
    MAX_RETRY_COUNT,
    ExecutionLog,
    ExecutionStatus,
    Json,
    UnknownStatus,
    validators,
)

Schema = Mapping[str, Any]

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


@frozen(eq=False)
class Component:
    """A schema with a name, which is unique in a document."""

    name: str
    schema: Schema


_TYPES: Final[Mapping[Any, Schema]] = {
    UUID: {"type": "string", "format": "uuid"},
    datetime: {"type": "string", "format": "date-time"},
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    Json: {},
    ExecutionLog: {},
    ExecutionStatus | UnknownStatus: {
        "type": "string",
        "examples": [status.value for status in ExecutionStatus],
    },
}
_BOUNDS: Final[Mapping[Any, Schema]] = {
    validators.attempt: {"minimum": 1, "maximum": MAX_RETRY_COUNT},
    validators.count: {"minimum": 0},
    validators.count_or_none: {"minimum": 0},
    validators.duration: {"minimum": 0},
    validators.generation: {"minimum": 0, "maximum": MAX_RETRY_COUNT},
}
"""What the domain's validators demand of a number."""


_COMPONENTS: Final[dict[type, Component]] = {}


def schema_of(hint: Any) -> Schema:
    """The schema of a type.

    Raises:
        TypeError: nothing is known about the type.
    """
    if hint in _TYPES:
        return _TYPES[hint]
    if get_args(hint):
        return _generic(get_origin(hint), get_args(hint))
    if isinstance(hint, type) and issubclass(hint, Enum):
        return {"type": "string", "enum": [member.value for member in hint]}
    if attrs.has(hint):
        return {"$ref": component_of(hint)}
    raise TypeError(f"there is no JSON Schema of {hint}")


def _generic(origin: Any, arguments: Sequence[Any]) -> Schema:
    if origin is Annotated:
        return _annotated(*arguments)
    if origin in {Union, types.UnionType}:
        return _union(arguments)
    if origin is Literal:
        [text] = arguments
        return {"type": "string", "const": text}
    if issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": schema_of(arguments[1])}
    return {"type": "array", "items": schema_of(arguments[0])}


def _annotated(hint: Any, *notes: Any) -> Schema:
    schema = schema_of(hint)
    for note in notes:
        match note:
            case str():
                schema = {**schema, "description": note}
            case _:
                schema = {**note.schema}
    return schema


def _union(members: Sequence[Any]) -> Schema:
    if types.NoneType in members:
        return nullable(schema_of(_joined(members)))
    return {"anyOf": [schema_of(one) for one in members]}


def _joined(members: Sequence[Any]) -> Any:
    return reduce(or_, (one for one in members if one is not types.NoneType))


def may_be_none(hint: Any) -> bool:
    """Whether the type is a union with None."""
    return get_origin(hint) in {Union, types.UnionType} and types.NoneType in get_args(hint)


def not_none(hint: Any) -> Any:
    """The type without None."""
    return _joined(get_args(hint)) if may_be_none(hint) else hint


def nullable(schema: Schema) -> Schema:
    """The same, or null."""
    match schema:
        case {"$ref": _} | {"enum": _} | {"const": _}:
            return {"anyOf": [schema, {"type": "null"}]}
        case {"type": str(one)}:
            return {**schema, "type": [one, "null"]}
        case {"anyOf": some}:
            return {**schema, "anyOf": [*some, {"type": "null"}]}
        case _:
            return schema


def property_of(cls: type, name: str) -> Schema:
    """The schema of one field of an attrs class, with the bounds of its validator."""
    attribute = attrs.fields_dict(cls)[name]
    hint = get_type_hints(cls, include_extras=True)[name]
    schema = schema_of(hint if getattr(cls, "other_fields", True) else not_none(hint))
    return {**schema, **_BOUNDS.get(attribute.validator, {})}


def component_of(cls: type) -> Component:
    """An object with the fields of an attrs class, named as the class.

    Fields without a default are required.
    """
    if cls not in _COMPONENTS:
        _COMPONENTS[cls] = _component(cls)
    return _COMPONENTS[cls]


def _component(cls: type) -> Component:
    fields = attrs.fields(cls)
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {field.alias: _with_default(cls, field) for field in fields},
    }
    if required := [field.alias for field in fields if field.default is attrs.NOTHING]:
        schema["required"] = required
    if not getattr(cls, "other_fields", True):
        schema["additionalProperties"] = False
    return Component(cls.__name__, schema)


def _with_default(cls: type, field: "attrs.Attribute[Any]") -> Schema:
    schema = property_of(cls, field.name)
    default = field.default
    if isinstance(default, Enum):  # attrs' NOTHING is one, too
        default = default.value if default is not attrs.NOTHING else None
    if isinstance(default, str | int | float | bool):
        return {**schema, "default": default}
    return schema


@frozen(eq=False)
class References:
    """The components of a document, collected while its schemas are resolved."""

    prefix: str
    """Where they are in the document, as `#/$defs/`."""
    found: dict[str, Any] = attrs.field(factory=dict, init=False)
    """Their schemas, by name."""
    _sources: dict[str, Component] = attrs.field(factory=dict, init=False)

    def resolve(self, schema: Any) -> Any:
        """The schema with a reference in place of every component.

        Raises:
            ValueError: two components have the same name.
        """
        match schema:
            case Component():
                return {"$ref": self._refer(schema)}
            case {"$ref": Component() as component, **others}:
                return {"$ref": self._refer(component), **others}
            case Mapping():
                return {key: self.resolve(value) for key, value in schema.items()}
            case list() | tuple():
                return [self.resolve(value) for value in schema]
            case _:
                return schema

    def _refer(self, component: Component) -> str:
        known = self._sources.setdefault(component.name, component)
        if known is not component:
            raise ValueError(f"two schemas are named {component.name}")
        if component.name not in self.found:
            self.found[component.name] = None  # it may refer to itself
            self.found[component.name] = self.resolve(component.schema)
        return f"{self.prefix}{component.name}"


def standalone(cls: type) -> Mapping[str, Any]:
    """The schema of an attrs class as a document of its own."""
    references = References("#/$defs/")
    root = references.resolve(component_of(cls).schema)
    document = {"$schema": DIALECT, "title": cls.__name__, **root}
    return {**document, "$defs": references.found} if references.found else document
