"""What a parameter of a query, or a field of a body, may be.

Each kind says what is right, as a `schema` and as the sentence `expected`, and reads it: `of_text`
from a query, `of_json` from a body. Both raise ValueError for anything else.
"""

from typing import Any, Final, Protocol

from attrs import frozen

from automation_retry.adapters.wire.json_schema import Schema, nullable

_MAX_DIGITS: Final = 19


class Value(Protocol):
    """One kind, as a body may have it."""

    @property
    def schema(self) -> Schema: ...

    @property
    def expected(self) -> str: ...

    def of_json(self, value: object) -> Any: ...


@frozen
class Whole:
    """A whole number within bounds."""

    minimum: int
    maximum: int

    @property
    def schema(self) -> Schema:
        return {"type": "integer", "minimum": self.minimum, "maximum": self.maximum}

    @property
    def expected(self) -> str:
        return f"one whole number from {self.minimum} to {self.maximum}"

    def of_text(self, text: str) -> int:
        """The number in a query.

        Raises:
            ValueError: it is anything else, or out of bounds.
        """
        if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
            raise ValueError
        return self.of_json(int(text))

    def of_json(self, value: object) -> int:
        """The number in a body; 3.0 is a whole number in JSON.

        Raises:
            ValueError: it is anything else, or out of bounds.
        """
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise ValueError  # noqa: TRY004 - a wrong value, from outside
        if not self.minimum <= value <= self.maximum:
            raise ValueError
        return value


@frozen
class OrNull:
    """A value of a body that may also be null, which means something else than its absence."""

    value: Value

    @property
    def schema(self) -> Schema:
        return nullable(self.value.schema)

    @property
    def expected(self) -> str:
        return f"{self.value.expected}, or null"

    def of_json(self, value: object) -> Any:
        """None, or the value.

        Raises:
            ValueError: it is anything else.
        """
        return None if value is None else self.value.of_json(value)
