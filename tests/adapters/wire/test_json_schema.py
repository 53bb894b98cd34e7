from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from attrs import field, frozen

from automation_retry.adapters.wire.json_schema import (
    Component,
    References,
    component_of,
    schema_of,
    standalone,
)
from automation_retry.domain import ExecutionStatus, Json, UnknownStatus, validators


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@frozen(kw_only=True)
class Leaf:
    size: int = field(validator=validators.count)


@frozen(kw_only=True)
class Tree:
    leaves: Sequence[Leaf]
    first: Leaf | None = field(default=None, alias="firstLeaf")
    name: Annotated[str, "What it is called."] = "oak"


@pytest.mark.parametrize(
    ("hint", "schema"),
    [
        (UUID, {"type": "string", "format": "uuid"}),
        (datetime | None, {"type": ["string", "null"], "format": "date-time"}),
        (Json, {}),
        (Json | None, {}),
        (Sequence[int], {"type": "array", "items": {"type": "integer"}}),
        (frozenset[str], {"type": "array", "items": {"type": "string"}}),
        (
            Mapping[str, float],
            {"type": "object", "additionalProperties": {"type": "number"}},
        ),
        (Literal["ok"], {"type": "string", "const": "ok"}),
        (Colour, {"type": "string", "enum": ["red", "blue"]}),
        (Colour | None, {"anyOf": [{"type": "string", "enum": ["red", "blue"]}, {"type": "null"}]}),
        (int | str, {"anyOf": [{"type": "integer"}, {"type": "string"}]}),
        (int | str | None, {"anyOf": [{"type": "integer"}, {"type": "string"}, {"type": "null"}]}),
        (Annotated[bool, "Whether."], {"type": "boolean", "description": "Whether."}),
    ],
)
def test_a_type_has_its_schema(hint: Any, schema: object) -> None:
    """None makes it nullable; a text in an `Annotated` describes it."""
    assert schema_of(hint) == schema


def test_a_status_is_open() -> None:
    """Any text may be stored; those that are known are examples."""
    schema = schema_of(ExecutionStatus | UnknownStatus)

    assert schema["type"] == "string"
    assert "enum" not in schema
    assert schema["examples"] == [status.value for status in ExecutionStatus]


@pytest.mark.parametrize("hint", [object, type, set, complex])
def test_a_type_that_is_not_known_is_an_error(hint: Any) -> None:
    """Rather than a schema that allows everything."""
    with pytest.raises(TypeError, match="no JSON Schema"):
        schema_of(hint)


def test_a_class_has_the_names_bounds_and_defaults_of_its_fields() -> None:
    """Aliases are names; what has no default is required; other classes are referred to."""
    assert standalone(Tree) == {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Tree",
        "type": "object",
        "properties": {
            "leaves": {"type": "array", "items": {"$ref": "#/$defs/Leaf"}},
            "firstLeaf": {"anyOf": [{"$ref": "#/$defs/Leaf"}, {"type": "null"}]},
            "name": {"type": "string", "description": "What it is called.", "default": "oak"},
        },
        "required": ["leaves"],
        "$defs": {
            "Leaf": {
                "type": "object",
                "properties": {"size": {"type": "integer", "minimum": 0}},
                "required": ["size"],
            }
        },
    }


def test_a_component_may_contain_itself() -> None:
    """It is defined once."""
    node = Component("Node", {"type": "object", "properties": {}})
    node.schema["properties"]["next"] = node
    references = References("#/$defs/")

    assert references.resolve(node) == {"$ref": "#/$defs/Node"}
    assert references.found["Node"]["properties"]["next"] == {"$ref": "#/$defs/Node"}


def test_two_components_cannot_have_one_name() -> None:
    """One would silently take the place of the other."""
    references = References("#/$defs/")
    references.resolve(component_of(Leaf))

    with pytest.raises(ValueError, match="two schemas are named Leaf"):
        references.resolve(Component("Leaf", {"type": "string"}))
