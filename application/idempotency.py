"""Idempotency keys: a caller that lost the answer to a retry repeats the request safely.

After the IETF draft "The Idempotency-Key HTTP Header Field", with Stripe's semantics.
"""

import re
from datetime import timedelta
from uuid import UUID

from attrs import field, frozen

from automation_retry.application.errors import InvalidIdempotencyKey
from automation_retry.domain import Principal

LIFETIME = timedelta(hours=26)
"""How long the answer to a retry is kept for its key: the promised 24 hours and a margin of two.

The margin covers clocks that are adjusted, or differ between machines, by up to an hour each when
the answer is written and when it is looked up.
"""

_PRINTABLE_ASCII = re.compile(r"[ -~]{1,255}")


def _printable(_instance: object, _attribute: object, value: str) -> None:
    if not _PRINTABLE_ASCII.fullmatch(value):
        raise InvalidIdempotencyKey(value)


@frozen(kw_only=True)
class IdempotencyKey:
    """A key chosen by a caller; the same text from another caller is another key."""

    tenant: UUID
    caller: UUID
    """The API key's id; the user's id where no API key was used, as in process."""
    text: str = field(validator=_printable)

    @classmethod
    def of(cls, principal: Principal, text: str) -> "IdempotencyKey":
        """The principal's key.

        Raises:
            InvalidIdempotencyKey: `text` is not 1 to 255 printable ASCII characters.
        """
        caller = principal.api_key_id or principal.user_id
        return cls(tenant=principal.tenant, caller=caller, text=text)
