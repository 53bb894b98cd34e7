import json
from typing import Annotated, Any

import orjson
import pytest
from attrs import evolve, frozen

from automation_retry.entrypoints.http.documentation.openapi import openapi_document
from automation_retry.entrypoints.http.wire.parameters import Parameters
from automation_retry.entrypoints.http.wire.values import Whole
from tests.entrypoints.http.orders import ORDER


@frozen(kw_only=True)
class Unchecked(Parameters):
    name: str = ""


@frozen(kw_only=True)
class AroundUnchecked(Parameters):
    inner: Unchecked | None = None


@frozen(kw_only=True)
class NoParameters:
    amount: Annotated[int, Whole(1, 10), "How many."]


@pytest.mark.parametrize("cls", [Unchecked, AroundUnchecked, NoParameters])
def test_a_field_without_a_check_is_no_row(cls: type[Any]) -> None:
    """What the document says of it would not be enforced."""
    with pytest.raises(TypeError, match="would not be checked"):
        evolve(ORDER, query=cls)
    with pytest.raises(TypeError, match="would not be checked"):
        evolve(ORDER, body=cls)


def test_what_is_read_is_what_is_documented() -> None:
    """The checks and the document come from one class."""
    document = json.loads(orjson.dumps(openapi_document([ORDER], version="1", root_path="")))

    operation = document["paths"]["/orders"]["post"]
    [content] = operation["requestBody"]["content"].values()
    schemas = document["components"]["schemas"]
    assert operation["requestBody"]["required"]
    assert content == {
        "schema": {"$ref": "#/components/schemas/Order"},
        "example": {"amount": 3},
    }
    assert schemas["Order"] == {
        "type": "object",
        "properties": {
            "amount": {"type": "integer", "minimum": 1, "maximum": 10, "description": "How many."},
            "rate": {
                "type": ["integer", "null"],
                "minimum": 1,
                "maximum": 10,
                "description": "How fast; null for no limit.",
                "default": 2,
            },
            "bounds": {"$ref": "#/components/schemas/Bounds"},
            "totalCount": {
                "type": "integer",
                "minimum": 1,
                "maximum": 10,
                "description": "Of all.",
                "default": 1,
            },
        },
        "required": ["amount"],
        "additionalProperties": False,
    }
    assert schemas["Bounds"] == {
        "type": "object",
        "properties": {
            "lowest": {"type": "integer", "minimum": 1, "maximum": 10, "description": "The first."}
        },
        "additionalProperties": False,
    }
