"""Idempotency keys: how a caller who lost the answer to a retry asks for it again, safely.

After the IETF draft "The Idempotency-Key HTTP Header Field", with Stripe's semantics.
"""

import re
from datetime import timedelta
from uuid import UUID

from attrs import field, frozen

from automation_retry.application.errors import InvalidIdempotencyKey
from automation_retry.domain import Execution, Principal

LIFETIME = timedelta(hours=24)
"""How long the answer to a retry can be had again."""

_PRINTABLE_ASCII = re.compile(r"[ -~]{1,255}")


def _printable(_instance: object, _attribute: object, value: str) -> None:
    if not _PRINTABLE_ASCII.fullmatch(value):
        raise InvalidIdempotencyKey(value)


@frozen(kw_only=True)
class IdempotencyKey:
    """A key of the caller's own making; the same text of another caller is another key."""

    tenant: UUID
    caller: UUID
    """The API key's id; in process, where there may be none, the user's."""
    text: str = field(validator=_printable)

    @classmethod
    def of(cls, principal: Principal, text: str) -> "IdempotencyKey":
        """Raises InvalidIdempotencyKey unless `text` is 1 to 255 printable ASCII characters."""
        caller = principal.api_key_id or principal.user_id
        return cls(tenant=principal.tenant, caller=caller, text=text)


@frozen(kw_only=True)
class Retried:
    """The answer to a retry."""

    execution: Execution
    """As committed."""
    replayed: bool = False
    """Whether this answers an earlier retry again, and nothing was done now."""
