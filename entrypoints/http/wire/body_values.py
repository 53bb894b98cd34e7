"""What a field of a body may be, besides the kinds in `values`."""

from collections.abc import Sequence
from uuid import UUID

from attrs import frozen

from automation_retry.adapters.wire.json_schema import Schema
from automation_retry.domain import is_uuid
from automation_retry.entrypoints.http.wire.headers import UUID_TEXT


@frozen
class Ids:
    """A list of UUIDs, in which some may come more than once."""

    most: int

    @property
    def schema(self) -> Schema:
        return {"type": "array", "items": UUID_TEXT, "minItems": 1, "maxItems": self.most}

    @property
    def expected(self) -> str:
        return f"an array of 1 to {self.most} UUIDs, each 8-4-4-4-12 hexadecimal digits"

    def of_json(self, value: object) -> Sequence[UUID]:
        """The ids in their order, repetitions included.

        Raises:
            ValueError: it is anything else, or has too few or too many.
        """
        if not isinstance(value, list) or not 1 <= len(value) <= self.most:
            raise ValueError
        if not all(isinstance(one, str) and is_uuid(one) for one in value):
            raise ValueError
        return [UUID(one) for one in value]


@frozen
class Text:
    """A text of 1 character or more. NUL is refused: PostgreSQL cannot keep it."""

    longest: int

    @property
    def schema(self) -> Schema:
        return {
            "type": "string",
            "minLength": 1,
            "maxLength": self.longest,
            "pattern": "^[^\\u0000]*$",
        }

    @property
    def expected(self) -> str:
        return f"a text of 1 to {self.longest} characters, without NUL"

    def of_json(self, value: object) -> str:
        """The text as it is.

        Raises:
            ValueError: it is anything else, or too short or too long.
        """
        if not isinstance(value, str) or not 1 <= len(value) <= self.longest or "\0" in value:
            raise ValueError
        return value
