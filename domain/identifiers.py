"""The one form in which AlgaPSA accepts a UUID: `8-4-4-4-12` hexadecimal digits, in any case."""

import re
from uuid import UUID

from automation_retry.domain.errors import InvalidExecutionId

_UUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


def is_uuid(text: str) -> bool:
    """Whether `text` has that form. Braces, `urn:uuid:` and a missing hyphen do not."""
    return _UUID.fullmatch(text) is not None


def parse_execution_id(text: str) -> UUID:
    """The execution id that `text` spells.

    Raises:
        InvalidExecutionId: `text` has another form, even one that `UUID` would accept.
    """
    if not is_uuid(text):
        raise InvalidExecutionId(text)
    return UUID(text)
