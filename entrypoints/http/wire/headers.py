"""The headers of the API, each with its meaning and the schema of its value."""

from collections.abc import Mapping
from typing import Final

from attrs import frozen

from automation_retry.adapters.wire.json_schema import Schema


@frozen
class Parameter:
    """A header of requests or answers, or a part of a path."""

    name: str
    meaning: str
    schema: Schema
    example: str | None = None


_UUID: Final = "[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
UUID_TEXT: Final = {"type": "string", "format": "uuid", "pattern": f"^{_UUID}$"}
API_KEY: Final = "x-api-key"

TENANT: Final = Parameter(
    "x-tenant-id",
    "The tenant of the API key; no other is accepted. Blank, it counts as absent.",
    # Without a format: generated clients would send an object of their UUID class.
    {"type": "string", "pattern": f"^({_UUID})?$"},
)
REQUEST_ID: Final = Parameter(
    "x-request-id",
    "Names the request in the answer, the log, the archived attempt, the job and the event. "
    "Anything but 1 to 128 letters, digits and `._:/+=@-` is replaced by a new id.",
    {"type": "string"},
    "ticket-4711",
)
IDEMPOTENCY_KEY: Final = Parameter(
    "Idempotency-Key",
    "1 to 255 printable ASCII characters of the caller's choice. Repeated within 24 hours by the "
    "same API key, the request gets the first answer again, and nothing is done twice.",
    {
        "type": "string",
        "minLength": 1,
        "maxLength": 255,
        "pattern": "^[!-~]([ -~]{0,253}[!-~])?$",
    },
    "outage-2026-11-23/5fba69ef",
)

_WHOLE: Final = {"type": "integer", "minimum": 0}

REPLAYED: Final = Parameter(
    "Idempotent-Replayed",
    "`true` if this repeats an earlier answer; absent otherwise.",
    {"type": "string", "const": "true"},
)
ECHOED_REQUEST_ID: Final = Parameter("X-Request-ID", "The id of the request.", {"type": "string"})
RATE_LIMIT: Final = Parameter("X-RateLimit-Limit", "Requests that a burst may have.", _WHOLE)
RATE_LIMIT_REMAINING: Final = Parameter(
    "X-RateLimit-Remaining", "Requests that are left now; 60 come back each minute.", _WHOLE
)
RATE_LIMIT_RESET: Final = Parameter(
    "X-RateLimit-Reset",
    "When the next request is possible.",
    {"type": "string", "format": "date-time"},
)
RETRY_AFTER: Final = Parameter("Retry-After", "Seconds after which to repeat the request.", _WHOLE)
CHALLENGE: Final = Parameter("WWW-Authenticate", "How to authenticate.", {"type": "string"})
ALLOW: Final = Parameter("Allow", "The methods of the path.", {"type": "string"})

ERROR_HEADERS: Final[Mapping[str, Parameter]] = {
    header.name: header
    for header in (
        ECHOED_REQUEST_ID,
        RATE_LIMIT,
        RATE_LIMIT_REMAINING,
        RATE_LIMIT_RESET,
        RETRY_AFTER,
        CHALLENGE,
        ALLOW,
    )
}
